"""The standard normal prior."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from textvae.distributions import DiagonalGaussian
from textvae.priors.base import Prior, PriorSettings
from textvae.types import Context


class StandardNormalPriorConfig(PriorSettings):
    """The standard normal prior has no settings."""

    kind: Literal["standard_normal"] = "standard_normal"
    learned: ClassVar[bool] = False
    factorizes: ClassVar[bool] = True

    def build(self, *, latent_dim: int) -> StandardNormalPrior:
        return StandardNormalPrior(latent_dim)


class StandardNormalPrior(Prior):
    """p(z) = N(0, I).

    >>> StandardNormalPriorConfig().build(latent_dim=2)().mean.tolist()
    [0.0, 0.0]
    """

    loc_D: Tensor
    scale_D: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        # Buffers, so that they follow the model's device and dtype. They are constants, and so not saved.
        self.register_buffer("loc_D", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale_D", torch.ones(latent_dim), persistent=False)

    def forward(self, context: Context | None = None) -> DiagonalGaussian:
        return DiagonalGaussian(self.loc_D, self.scale_D, validate_args=False)
