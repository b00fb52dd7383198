"""The contract of a prior: a context in, a distribution out."""

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
"""features [B, H], context -> q(z|x): a posterior as another part is given it."""


class PriorSettings(Component):
    """The settings of a prior, and what they tell of it before it is built.

    Attributes:
        support: where its codes live. Only posteriors of the same support go with it.
        factorizes: whether its coordinates are independent given the levels above, in evaluation too, so that the KL of
            a posterior that factorizes too is known by dimension.
        learned: whether it has parameters, which an objective must train.
        scores_posterior: whether it is made of the posterior's density.
        sees_codes: whether in training it is conditioned on codes of other sentences near a sentence's own.
    """

    support: ClassVar[Support] = EUCLIDEAN
    factorizes: ClassVar[bool] = False
    learned: ClassVar[bool] = True
    scores_posterior: ClassVar[bool] = False
    sees_codes: ClassVar[bool] = False

    @property
    def num_levels(self) -> int:
        """In how many equal parts a code comes, each conditioned on those before it."""
        return 1

    @property
    def label_count(self) -> int:
        """C where p(z|y) is conditioned on the label of a sentence, else 0."""
        return 0

    @property
    def vector_size(self) -> int:
        """H where p(z|v) is conditioned on a vector of that size, else 0."""
        return 0

    @abstractmethod
    def build(self, *, latent_dim: int) -> Prior:
        """The prior, with fresh parameters, of codes of so many dimensions."""


class Prior(nn.Module):
    """-> p(z), batch shape [] or [B], event shape [D].

    Attributes:
        num_labels: C where p(z|y) is conditioned on the label in the context, else 0.
        vector_dim: H where p(z|v) is conditioned on the vector in the context, else 0.
        memory_names: buffers that hold a memory, as long as the training corpus.
    """

    num_labels: int = 0
    vector_dim: int = 0
    memory_names: tuple[str, ...] = ()

    def forward(self, context: Context | None = None) -> LatentDistribution:
        """Without a context, the prior of a sentence of which nothing is known."""
        raise NotImplementedError

    def set_label_prior(self, counts_C: Tensor) -> None:
        """p(y) from how often each label was seen, [C]; called of priors that are conditioned on labels."""
        raise NotImplementedError

    def compose(self, posterior: FeaturesToCodes, *, feature_dim: int, num_labels: int = 0) -> None:
        """Called once by the model that owns both: hands over the posterior, which most priors do not need.

        Args:
            posterior: features [B, H], context -> q(z|x).
            feature_dim: H.
            num_labels: C where the posterior is conditioned on a label.
        """


class MemoryPrior(Prior):
    """A prior that in training is conditioned on codes of other sentences, of which it keeps a memory.

    The model puts a training sentence's own code into the context as `vector_BH`, beside its `example_id_B`; the
    trainer begins the memory and stores codes in it.

    Attributes:
        stores: when codes are stored: as batches pass, or all anew at the end of each epoch.
        num_neighbors: K: it is conditioned on one of so many codes, those nearest to a sentence's own.
        codes_ND: the codes stored.
        filled_N: which training sentences have one.
    """

    stores: Literal["batch", "epoch"]
    num_neighbors: int
    codes_ND: Tensor
    filled_N: Tensor

    def begin(self, sentences: int, seed: int = 0) -> None:
        """Make an empty memory for a training corpus of N sentences; one that was there is forgotten.

        Raises:
            ConfigError: they are too few.
        """
        raise NotImplementedError

    def store(self, example_id_B: Int[Tensor, " B"], code_BD: Float[Tensor, "B D"]) -> None:
        """Put codes of training sentences in their places."""
        raise NotImplementedError

    def take_noticed(self) -> tuple[Tensor, Tensor] | None:
        """Ids [B] and codes [B, D] of the last batch that passed in training mode, once; None after that."""
        raise NotImplementedError

    def near(self, code_BD: Float[Tensor, "B D"]) -> LatentDistribution:
        """p(z|c) with c drawn from the stored codes nearest to each of these, batch shape [B]."""
        raise NotImplementedError

    def neighbors(
        self, code_BD: Float[Tensor, "B D"], example_id_B: Int[Tensor, " B"] | None = None
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, " B"]]:
        """Rows of the memory that are nearest to these codes, nearest first, and how many of each K count.

        Args:
            code_BD: codes.
            example_id_B: places of these very sentences in the training corpus, which are left out; None for others.
        """
        raise NotImplementedError

    def conditional(self, code_BD: Float[Tensor, "*B D"]) -> LatentDistribution:
        """p(z|c) of each code c."""
        raise NotImplementedError
