"""The contract of a posterior: features in, a distribution out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.distributions import LatentDistribution
from textvae.types import Context


class Posterior(nn.Module):
    """features -> q(z|x), batch shape [B], event shape [D].

    A config whose posterior has no density says `has_density: ClassVar[bool] = False`; one whose coordinates are
    independent (given the levels above) says `factorizes: ClassVar[bool] = True`, and then has a KL of each dimension
    to every prior that says so too; one whose mean is the same for every sentence says `fixed_mean: ClassVar[bool] =
    True`, and is not judged by active units. One with settings that some numbers of dimensions cannot meet has
    `require_dim(latent_dim)`, which raises a `ConfigError`; models ask it while their settings are read.
    """

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
