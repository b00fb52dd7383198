"""The hierarchical prior: each level is a Gaussian given the levels above."""

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
    levels: int = Field(
        2, ge=2, le=16, description="equal parts of z; a hierarchical posterior must have the same number"
    )
    hidden_dim: int = Field(64, gt=0, le=MAX_WIDTH, description="tanh units between the levels above and a level")
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    @property
    def num_levels(self) -> int:
        return self.levels

    def build(self, *, latent_dim: int) -> HierarchicalPrior:
        return HierarchicalPrior(self, latent_dim)


class HierarchicalPrior(Prior):
    """p(z) = N(z_1 | 0, I) prod_{l > 1} p(z_l | z_<l), each level a diagonal Gaussian; initialized to N(0, I).

    Gregor et al. 2016 (arXiv 1604.08772): a prior that is autoregressive over levels, not over coordinates. With a
    hierarchical or a Gaussian posterior, the KL of each level given the levels above has a closed form. Information
    that a level shares with the levels above costs no KL once this prior predicts it.

    Args:
        config: the settings.
        latent_dim: D, divisible by `config.levels` (models check this when their config is read).

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
        # The first level stays N(0, I): the other levels and the decoder can absorb any change of a Gaussian.
        self.width = width

    def forward(self, context: Context | None = None) -> HierarchicalGaussian:
        loc, log_scale = torch.cat([self.below.new_zeros(2, self.width), self.below], -1)
        networks = [LevelNetwork(*weights) for weights in self.top_down.networks()]
        return HierarchicalGaussian(loc, log_scale, self.hidden, networks, self.min_log_scale)
