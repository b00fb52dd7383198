"""The contract of a posterior: features in, a distribution out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component
from textvae.distributions import LatentDistribution
from textvae.types import EUCLIDEAN, Context, Support


class PosteriorSettings(Component):
    """The settings of a posterior, and what they tell of it before it is built.

    Attributes:
        support: where its codes live. Only priors of the same support go with it.
        factorizes: whether its coordinates are independent given the levels above, so that its KL to a prior that
            factorizes too is known by dimension, in closed form.
        has_density: whether log q(z|x) is known. Without it there is no KL, no ELBO and no importance weight.
        extended: whether its densities carry auxiliary variables, so that a code alone has none
            (`LatentGroup.extended`).
        fixed_mean: whether its mean is the same for every sentence, so that no unit is active however z is used.
        refines_bound: whether codes are moved, for each sentence, to where the bound at KL weight 1 is high.
        pathwise_setting: the setting with which each sample is a draw of q that gradients pass through, for those that
            have others too, such as ``posterior.estimator = "pathwise"``.
    """

    support: ClassVar[Support] = EUCLIDEAN
    factorizes: ClassVar[bool] = False
    has_density: ClassVar[bool] = True
    extended: ClassVar[bool] = False
    fixed_mean: ClassVar[bool] = False
    refines_bound: ClassVar[bool] = False
    pathwise_setting: ClassVar[str] = ""

    @property
    def title(self) -> str:
        """How messages name it: by its kind, and by a setting that matters to whom it goes with."""
        return f"{self.kind} posterior"

    @property
    def num_levels(self) -> int:
        """In how many equal parts a code comes, each conditioned on those before it."""
        return 1

    @property
    def samples_are_draws(self) -> bool:
        """Whether each sample that an objective gets is a draw of q, rather than one of a part of it with a weight."""
        return True

    @property
    def reparameterized(self) -> bool:
        """Whether a sample is a smooth function of noise and parameters, so that its gradient is that function's; else,
        as where a sampler rejects, gradients are implicit."""
        return True

    @property
    def needs_linear(self) -> bool:
        """Whether it learns rightly only from a loss that is an expectation under q (`ObjectiveSettings.linear`)."""
        return False

    @property
    def batch_setting(self) -> str:
        """The setting by which in training q(z|x) depends on the other sentences of its batch; empty for none."""
        return ""

    @property
    def least_rate(self) -> float:
        """The floor under KL(q(z|x) || N(0, I)) of each sentence that it commits to, nats."""
        return 0.0

    def require_dim(self, latent_dim: int) -> None:
        """Refuse settings that codes of so many dimensions cannot meet; models ask while a recipe is read.

        Raises:
            ConfigError: and says which.
        """

    @abstractmethod
    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> Posterior:
        """The posterior, with fresh parameters.

        Args:
            feature_dim: H.
            latent_dim: D.
            num_labels: C, where q(z|x, y) is conditioned on the label in the context; 0 where it is not.
        """


class Posterior(nn.Module):
    """features -> q(z|x), batch shape [B], event shape [D]."""

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> LatentDistribution:
        """`context` holds what else q is conditioned on: a label, a vector, example ids."""
        raise NotImplementedError


@runtime_checkable
class JointDensity(Protocol):
    """log p(x, z) of a batch of sentences and its gradient in z; `textvae.models.LogJoint` is one.

    It works where gradients are off, touches no parameter's gradient, and is a function of z alone.
    """

    def __call__(self, z_SBD: Tensor) -> Tensor: ...

    def value_and_grad(self, z_SBD: Tensor, create_graph: bool = False) -> tuple[Tensor, Tensor]: ...

    def rows(self, index_N: Tensor) -> JointDensity: ...


@dataclass(frozen=True)
class Refined:
    """What became of a posterior that saw its target.

    Attributes:
        posterior: q(z|x), batch shape [B].
        surrogate_B: zeros whose gradient is one that the encoder is to get beside that of the objective; a model adds
            them to log p(x|z) of every sample, where every objective has weight 1. None for no such gradient.
    """

    posterior: LatentDistribution
    surrogate_B: Tensor | None = None


class NeedsJoint(Posterior):
    """A posterior that must see its target: what `forward` gives is where it starts, and `refine` what it is.

    A model that composes one gives it `log_joint` wherever it forms q(z|x): in training, evaluation and use alike.
    """

    def refine(self, start: LatentDistribution, log_joint: JointDensity, key_B: Int[Tensor, " B"]) -> Refined:
        """q(z|x) of each sentence.

        Args:
            start: what `forward` gave.
            log_joint: of the same sentences, in the same order.
            key_B: a number made of each sentence's words (`textvae.layers.sentence_keys`), for noise that belongs to
                the sentence and not to its batch.
        """
        raise NotImplementedError
