"""The mixture prior: a learned mixture of diagonal Gaussians."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from textvae.config import MAX_PARTS
from textvae.distributions import GaussianMixture
from textvae.priors.base import Prior, PriorSettings
from textvae.types import Context


class MixturePriorConfig(PriorSettings):
    """Settings of a mixture prior."""

    kind: Literal["mixture"] = "mixture"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"components": 3}}
    components: int = Field(10, ge=1, le=MAX_PARTS)
    spread: float = Field(1.0, ge=0, description="standard deviation of the means before training")

    def build(self, *, latent_dim: int) -> MixturePrior:
        return MixturePrior(self, latent_dim)


class MixturePrior(Prior):
    """p(z) = sum_k pi_k N(mu_k, diag(s_k^2)), with all parameters learned.

    Discussed by Dilokthanakul et al. 2016 (arXiv 1611.02648); the baseline "MoG" of Tomczak & Welling 2018
    (arXiv 1705.07120). The KL to it has no closed form.

    Args:
        config: the settings.
        latent_dim: D.

    >>> MixturePriorConfig(components=3).build(latent_dim=2)().sample((5,)).shape
    torch.Size([5, 2])
    """

    def __init__(self, config: MixturePriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.logits_K = nn.Parameter(torch.zeros(config.components))
        self.loc_KD = nn.Parameter(config.spread * torch.randn(config.components, latent_dim))
        self.log_scale_KD = nn.Parameter(torch.zeros(config.components, latent_dim))

    def forward(self, context: Context | None = None) -> GaussianMixture:
        return GaussianMixture(self.logits_K, self.loc_KD, self.log_scale_KD.exp())
