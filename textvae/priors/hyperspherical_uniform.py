"""The uniform prior on the sphere."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from textvae.distributions import HypersphericalUniform
from textvae.errors import ConfigError
from textvae.priors.base import Prior, PriorSettings
from textvae.types import SPHERE, Context, Support


class HypersphericalUniformPriorConfig(PriorSettings):
    """The uniform prior on the sphere has no settings."""

    kind: Literal["hyperspherical_uniform"] = "hyperspherical_uniform"
    learned: ClassVar[bool] = False
    support: ClassVar[Support] = SPHERE

    def build(self, *, latent_dim: int) -> HypersphericalUniformPrior:
        return HypersphericalUniformPrior(latent_dim)


class HypersphericalUniformPrior(Prior):
    """p(z) = 1 / area of the unit sphere of R^D (Davidson et al. 2018, arXiv 1804.00891).

    Args:
        latent_dim: D, at least 2.

    Raises:
        ConfigError: `latent_dim` is below 2.

    >>> HypersphericalUniformPriorConfig().build(latent_dim=2)().variance.tolist()
    [0.5, 0.5]
    """

    anchor: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ConfigError(f"latent_dim is {latent_dim}; a prior on the sphere needs at least 2 dimensions.")
        self.latent_dim = latent_dim
        # An empty buffer, whose dtype and device follow those of the model.
        self.register_buffer("anchor", torch.empty(0), persistent=False)

    def forward(self, context: Context | None = None) -> HypersphericalUniform:
        return HypersphericalUniform(
            self.latent_dim, dtype=self.anchor.dtype, device=self.anchor.device, validate_args=False
        )
