"""The base classes of priors, which give a distribution of codes (for a context), and of their settings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component
from textvae.distributions import LatentDistribution
from textvae.types import EUCLIDEAN, Context, Support

FeaturesToCodes = Callable[[Tensor, Context | None], LatentDistribution]
"""features [B, H], context -> q(z|x): the model's posterior, as it is passed to a prior."""


class PriorSettings(Component):
    """The settings of a prior, with the traits that other parts read before it is built.

    Attributes:
        support: the space of its codes. It can be combined only with posteriors of the same support.
        factorizes: whether its coordinates are independent given the levels above, in training and evaluation. The KL
            of a posterior that factorizes too then has a closed form for each dimension.
        learned: whether it has trainable parameters.
        scores_posterior: whether its density is computed from the posterior's density.
        sees_codes: whether in training it is conditioned on the code of another sentence, near the sentence's own.
    """

    support: ClassVar[Support] = EUCLIDEAN
    factorizes: ClassVar[bool] = False
    learned: ClassVar[bool] = True
    scores_posterior: ClassVar[bool] = False
    sees_codes: ClassVar[bool] = False

    @property
    def num_levels(self) -> int:
        """The number of equal parts of a code, each conditioned on those before it; 1 without a hierarchy."""
        return 1

    @property
    def label_count(self) -> int:
        """C for a prior p(z|y) that is conditioned on the label of a sentence, else 0."""
        return 0

    @property
    def vector_size(self) -> int:
        """H for a prior p(z|v) that is conditioned on a vector of that size, else 0."""
        return 0

    @abstractmethod
    def build(self, *, latent_dim: int) -> Prior:
        """Build the prior with new parameters, for codes of `latent_dim` dimensions."""


class Prior(nn.Module):
    """context -> p(z), batch shape [] or [B], event shape [D].

    Attributes:
        num_labels: C for a prior p(z|y) that is conditioned on the label in the context, else 0.
        vector_dim: H for a prior p(z|v) that is conditioned on the vector in the context, else 0.
        memory_names: the names of buffers whose length depends on the training corpus.
    """

    num_labels: int = 0
    vector_dim: int = 0
    memory_names: tuple[str, ...] = ()

    def forward(self, context: Context | None = None) -> LatentDistribution:
        """p(z) given the context; without a context, the prior of a sentence about which nothing is known."""
        raise NotImplementedError

    def set_label_prior(self, counts_C: Tensor) -> None:
        """Set p(y) from the number of training sentences of each label, [C]; for priors conditioned on labels."""
        raise NotImplementedError

    def compose(self, posterior: FeaturesToCodes, *, feature_dim: int, num_labels: int = 0) -> None:
        """Receive the model's posterior; the model calls this once. Most priors do not need it and do nothing.

        Args:
            posterior: features [B, H], context -> q(z|x).
            feature_dim: H.
            num_labels: C if the posterior is conditioned on a label, else 0.
        """


class MemoryPrior(Prior):
    """A prior that in training is conditioned on codes of other sentences, which it stores in a memory.

    The model passes the code of a training sentence in the context as `vector_BH`, with its `example_id_B`. The trainer
    calls `begin`, and `store` with new codes.

    Attributes:
        stores: when codes are stored: those of each training batch, or all of them at the end of each epoch.
        num_neighbors: K, the number of nearest codes from which the one to condition on is drawn.
        codes_ND: the stored codes.
        filled_N: which training sentences have a stored code.
    """

    stores: Literal["batch", "epoch"]
    num_neighbors: int
    codes_ND: Tensor
    filled_N: Tensor

    def begin(self, sentences: int, seed: int = 0) -> None:
        """Make an empty memory for a training corpus of N sentences, in place of any earlier one.

        Args:
            sentences: N.
            seed: seed of random choices of the prior.

        Raises:
            ConfigError: the corpus has too few sentences.
        """
        raise NotImplementedError

    def store(self, example_id_B: Int[Tensor, " B"], code_BD: Float[Tensor, "B D"]) -> None:
        """Store the codes of training sentences, by their positions in the corpus."""
        raise NotImplementedError

    def take_noticed(self) -> tuple[Tensor, Tensor] | None:
        """Ids [B] and codes [B, D] of the last batch in training mode; None without one, or if it was taken before."""
        raise NotImplementedError

    def near(self, code_BD: Float[Tensor, "B D"]) -> LatentDistribution:
        """p(z|c) for each of these codes, with c drawn from the stored codes nearest to it, batch shape [B]."""
        raise NotImplementedError

    def neighbors(
        self, code_BD: Float[Tensor, "B D"], example_id_B: Int[Tensor, " B"] | None = None
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, " B"]]:
        """The stored codes nearest to each of these codes.

        Args:
            code_BD: codes.
            example_id_B: positions of these sentences in the training corpus, whose own codes are excluded; None for
                sentences that are not in it.

        Returns:
            rows of the memory, nearest first, and the number of valid entries in each row of K, which is below K only
            while the memory is being filled.

        Raises:
            ConfigError: no codes are stored.
        """
        raise NotImplementedError

    def conditional(self, code_BD: Float[Tensor, "*B D"]) -> LatentDistribution:
        """p(z|c) of each code c."""
        raise NotImplementedError
