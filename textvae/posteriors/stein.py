"""The Stein posterior: an implicit posterior, sampled by a network fed with noise and trained by Stein's gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from textvae.config import MAX_PARTS, MAX_WIDTH
from textvae.distributions import LatentDistribution, Pushforward
from textvae.errors import ConfigError
from textvae.layers import at_least_float32
from textvae.posteriors.base import JointDensity, NeedsJoint, PosteriorSettings, Refined
from textvae.posteriors.gaussian import GaussianPosteriorConfig
from textvae.posteriors.semi_amortized import balanced_noise
from textvae.samplers import stein_direction
from textvae.types import Context

_MOMENT_DRAWS = 128
"""Fixed draws of the noise, in antithetic pairs, from which the moments of a posterior are estimated."""


class SteinPosteriorConfig(PosteriorSettings):
    """Settings of a Stein posterior."""

    kind: Literal["stein"] = "stein"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"hidden_dim": 8}}
    has_density: ClassVar[bool] = False
    particles: int = Field(
        10,
        ge=1,
        le=MAX_PARTS,
        description="codes of a sentence that repel one another; a single one climbs to the mode",
    )
    step_size: float = Field(1.0, gt=0, description="size of the moves that the encoder learns: weight of its gradient")
    own_gradient: bool = Field(
        False, description="whether a code's direction includes its own gradient, as published; it pulls codes together"
    )
    bandwidth: float | None = Field(
        None, gt=0, description="h of the kernel exp(-|a - b|^2 / h); median^2 / log(particles + 1) when absent"
    )
    noise_dim: int | None = Field(
        None, ge=1, le=MAX_WIDTH, description="size of the noise vector of a code; latent_dim when absent"
    )
    hidden_dim: int = Field(64, ge=1, le=MAX_WIDTH, description="hidden units of the network that transforms the noise")
    min_scale: float = Field(
        1e-4, gt=0, description="smallest standard deviation of the noise before the transformation"
    )

    @model_validator(mode="after")
    def _two_give_no_bandwidth(self) -> SteinPosteriorConfig:
        if self.particles == 2 and not self.own_gradient:
            raise ValueError(
                "two particles without their own gradients have one neighbor each, too few to choose a bandwidth by; "
                "use 5 particles or more, or 1, which climbs to the mode"
            )
        return self

    def require_dim(self, latent_dim: int) -> None:
        """Refuse noise of fewer dimensions than the code."""
        if self.noise_dim is not None and self.noise_dim < latent_dim:
            raise ConfigError(
                f"posterior.noise_dim is {self.noise_dim}, expected at least latent_dim = {latent_dim}: codes made of "
                "less noise do not fill the latent space; raise it, or leave it out."
            )

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> SteinPosterior:
        return SteinPosterior(self, feature_dim, latent_dim, num_labels)


class SteinPosterior(NeedsJoint):
    """Codes z = mu(x) + s(x) * (xi + g(x, xi)), xi ~ N(0, I): samples of a q(z|x) whose density is not known.

    Stein VAE (Pu et al. 2017, arXiv 1704.05155, section 3). g is a network with one hidden layer whose output is
    initialized at zero, so that training starts at a Gaussian; it can also start from a trained model with a Gaussian
    posterior.

    A training step draws M codes of each sentence and computes the direction phi in which Stein variational gradient
    descent moves them towards p(z|x) (Liu & Wang 2016, arXiv 1608.04471, eq. 8):

        phi(z_j) = mean_i [k(z_i, z_j) grad log p(x, z_i) + grad_{z_i} k(z_i, z_j)].

    The encoder and g are trained by a gradient step on sum_j |f(x, xi_j) - stop(z_j + step_size * phi_j)|^2 / 2, and by
    nothing else: the codes that the decoder reads are detached. With one particle this is the gradient of log p(x, z),
    and the codes converge to its mode.

    The mean is over i != j, so that the direction is zero in expectation once the codes are draws of p(z|x). In the
    paper it is over all i (`own_gradient`). That is correct for particles that persist from step to step, but it pulls
    independent draws together, more so in more dimensions. The bandwidth is estimated from the same particles; with
    only 3 or 4 the estimate is poor, and the codes end too far apart.

    Such a q has no KL, no ELBO and no mutual information. See the objective `stein` for the loss, and `[evaluate.ais]`
    for a bound. A training step costs M gradients of the decoder with respect to z; evaluation costs none.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: must be 0, as summing out labels needs a density.

    Raises:
        ConfigError: the noise has fewer dimensions than the code, or there are labels.

    >>> import torch
    >>> q = SteinPosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.zeros(3, 6))
    >>> q.batch_shape, q.rsample((5,)).shape
    (torch.Size([3]), torch.Size([5, 3, 2]))
    """

    noise_MX: Tensor

    def __init__(self, config: SteinPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0) -> None:
        super().__init__()
        if num_labels:
            raise ConfigError(
                "a stein posterior has no density, and got labels to sum out; use the posterior gaussian there."
            )
        config.require_dim(latent_dim)
        noise_dim = latent_dim if config.noise_dim is None else config.noise_dim
        self.config, self.latent_dim = config, latent_dim
        self.amortized = GaussianPosteriorConfig(min_scale=config.min_scale).build(
            feature_dim=feature_dim, latent_dim=latent_dim
        )
        self.by_features = nn.Linear(feature_dim, config.hidden_dim)
        self.by_noise = nn.Linear(noise_dim, config.hidden_dim, bias=False)
        self.bend = nn.Linear(config.hidden_dim, latent_dim)
        nn.init.zeros_(self.bend.weight)
        nn.init.zeros_(self.bend.bias)
        draws = balanced_noise(torch.zeros(1, dtype=torch.int64), _MOMENT_DRAWS, noise_dim, torch.float64)[:, 0]
        self.register_buffer("noise_MX", draws.float(), persistent=False)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> Pushforward:
        gaussian = self.amortized(features_BH)
        conditions = (gaussian.loc, gaussian.scale, at_least_float32(self.by_features(features_BH)))
        return Pushforward(self._codes, conditions, self.noise_MX.to(gaussian.loc), self.latent_dim)

    def _codes(self, noise: Tensor, loc: Tensor, scale: Tensor, hidden: Tensor) -> Tensor:
        bent = self.bend(torch.tanh(hidden + self.by_noise(noise)))
        return loc + scale * (noise[..., : self.latent_dim] + at_least_float32(bent))

    def refine(self, start: LatentDistribution, log_joint: JointDensity, key_B: Int[Tensor, " B"]) -> Refined:
        # Refining adds only a gradient, so without one it can be skipped.
        if not torch.is_grad_enabled():
            return Refined(start.detached())
        z_MBD = start.rsample((self.config.particles,))
        fixed_MBD = z_MBD.detach()
        _, gradient_MBD = log_joint.value_and_grad(fixed_MBD)
        direction_MBD = self._direction(fixed_MBD, at_least_float32(gradient_MBD))
        surrogate_B = (self.config.step_size * direction_MBD * (z_MBD - fixed_MBD)).sum((0, 2))
        return Refined(start.detached(), surrogate_B)

    def _direction(self, z_MBD: Tensor, gradient_MBD: Tensor) -> Tensor:
        return stein_direction(z_MBD, gradient_MBD, self.config.bandwidth, self.config.own_gradient)
