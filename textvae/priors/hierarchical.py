"""The prior in levels: each one a Gaussian given the levels above."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from textvae.config import MAX_WIDTH
from textvae.distributions import HierarchicalGaussian, LevelNetwork
from textvae.layers import TopDown
from textvae.priors.base import Prior, PriorSettings
from textvae.types import Context


class HierarchicalPriorConfig(PriorSettings):
    """Settings of a hierarchical prior; its levels divide the model's `latent_dim`."""

    kind: Literal["hierarchical"] = "hierarchical"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"levels": 2, "hidden_dim": 5}}
    factorizes: ClassVar[bool] = True
    levels: int = Field(2, ge=2, le=16, description="equal parts of z; a hierarchical posterior has as many")
    hidden_dim: int = Field(64, gt=0, le=MAX_WIDTH, description="tanh units between the levels above and a level")
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    @property
    def num_levels(self) -> int:
        return self.levels

    def build(self, *, latent_dim: int) -> HierarchicalPrior:
        return HierarchicalPrior(self, latent_dim)


class HierarchicalPrior(Prior):
    """p(z) = N(z_1 | 0, I) prod_{l > 1} p(z_l | z_<l), each level a diagonal Gaussian; N(0, I) at the start.

    Gregor et al. 2016 (arXiv 1604.08772): an autoregressive prior, not over coordinates but over levels. Beside the
    hierarchical posterior the KL is known in closed form level by level, given the levels above; beside a Gaussian one
    too. What a level says that the levels above have said already costs nothing once this prior predicts it.

    Args:
        config: the settings.
        latent_dim: D, divisible by `config.levels` (models refuse others when their config is read).

    >>> import torch
    >>> prior = HierarchicalPriorConfig().build(latent_dim=4)
    >>> round(prior().log_prob(torch.zeros(4)).item(), 4) == round(-2.0 * math.log(2.0 * math.pi), 4)
    True
    """

    def __init__(self, config: HierarchicalPriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.min_log_scale = math.log(config.min_scale)
        width = latent_dim // config.levels
        self.below = nn.Parameter(torch.zeros(2, latent_dim - width))
        self.hidden = nn.Parameter(torch.randn(config.levels - 1, config.hidden_dim) / config.hidden_dim**0.5)
        self.top_down = TopDown(latent_dim, config.levels, config.hidden_dim)
        # Nothing is learned of the first level: the others and the decoder can take any Gaussian to any other.
        self.width = width

    def forward(self, context: Context | None = None) -> HierarchicalGaussian:
        loc, log_scale = torch.cat([self.below.new_zeros(2, self.width), self.below], -1)
        networks = [LevelNetwork(*weights) for weights in self.top_down.networks()]
        return HierarchicalGaussian(loc, log_scale, self.hidden, networks, self.min_log_scale)
