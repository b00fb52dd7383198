"""The base classes of posteriors, which turn features into a distribution of codes, and of their settings."""

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
    """The settings of a posterior, with the traits that other parts read before it is built.

    Attributes:
        support: the space of its codes. It can be combined only with priors of the same support.
        factorizes: whether its coordinates are independent given the levels above. Its KL to a prior that factorizes
            too then has a closed form for each dimension.
        has_density: whether log q(z|x) can be computed. Without it there is no KL, no ELBO and no importance weight.
        extended: whether its densities are those of codes together with auxiliary variables, so that the density of a
            code alone is not known (`LatentGroup.extended`).
        fixed_mean: whether its mean is the same for every sentence. Active units, which are counted by the variance of
            the mean, are then 0 even if z is used.
        refines_bound: whether it optimizes the parameters of q for each sentence, by the ELBO at KL weight 1.
        pathwise_setting: for a posterior with several gradient estimators, the setting that chooses pathwise gradients,
            such as ``posterior.estimator = "pathwise"``; for messages.
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
        """Its name in messages: the kind, and the setting that decides with what it can be combined, if any."""
        return f"{self.kind} posterior"

    @property
    def num_levels(self) -> int:
        """The number of equal parts of a code, each conditioned on those before it; 1 without a hierarchy."""
        return 1

    @property
    def samples_are_draws(self) -> bool:
        """Whether each sample that an objective gets is a draw of q, and not a draw of one component with a weight."""
        return True

    @property
    def reparameterized(self) -> bool:
        """Whether samples are differentiable functions of noise and parameters. If not, as for a rejection sampler,
        their gradients are implicit (or scores)."""
        return True

    @property
    def needs_linear(self) -> bool:
        """Whether its gradients are correct only for a loss that is an expectation under q
        (`ObjectiveSettings.linear`)."""
        return False

    @property
    def batch_setting(self) -> str:
        """The setting that makes q(z|x) depend on the other sentences of a training batch, for messages; empty if
        there is none."""
        return ""

    @property
    def least_rate(self) -> float:
        """A lower bound of KL(q(z|x) || N(0, I)) that the settings guarantee for each sentence, nats; 0 for none."""
        return 0.0

    def require_dim(self, latent_dim: int) -> None:
        """Refuse settings that are impossible with this latent dimension; models call it while a recipe is read.

        Raises:
            ConfigError: a setting is impossible; the message names it.
        """

    @abstractmethod
    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> Posterior:
        """Build the posterior with new parameters.

        Args:
            feature_dim: H.
            latent_dim: D.
            num_labels: C for a posterior q(z|x, y) that is conditioned on the label in the context; else 0.
        """


class Posterior(nn.Module):
    """features -> q(z|x), batch shape [B], event shape [D]."""

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> LatentDistribution:
        """q(z|x) of each sentence; `context` has what else q is conditioned on, such as labels."""
        raise NotImplementedError


@runtime_checkable
class JointDensity(Protocol):
    """log p(x, z) of a batch of sentences and its gradient in z: the interface of `textvae.models.LogJoint`.

    It works also where gradients are disabled, changes no parameter's `.grad`, and is a deterministic function of z.
    """

    def __call__(self, z_SBD: Tensor) -> Tensor: ...

    def value_and_grad(self, z_SBD: Tensor, create_graph: bool = False) -> tuple[Tensor, Tensor]: ...

    def rows(self, index_N: Tensor) -> JointDensity: ...


@dataclass(frozen=True)
class Refined:
    """The result of `NeedsJoint.refine`.

    Attributes:
        posterior: q(z|x), batch shape [B].
        surrogate_B: zeros with a gradient: an additional gradient for the encoder, beside that of the objective. A
            model adds them to log p(x|z) of every sample, which has weight 1 in every objective. None for no such
            gradient.
    """

    posterior: LatentDistribution
    surrogate_B: Tensor | None = None


class NeedsJoint(Posterior):
    """A posterior that depends on log p(x, z): `forward` gives an initial distribution, `refine` makes q(z|x) of it.

    A model with such a posterior calls `refine` wherever it forms q(z|x), in training, evaluation and use.
    """

    def refine(self, start: LatentDistribution, log_joint: JointDensity, key_B: Int[Tensor, " B"]) -> Refined:
        """q(z|x) of each sentence.

        Args:
            start: the distribution that `forward` gave.
            log_joint: log p(x, z) of the same sentences, in the same order.
            key_B: a hash of each sentence (`textvae.layers.sentence_keys`), for noise that depends on the sentence and
                not on its batch.
        """
        raise NotImplementedError
