"""The hierarchical posterior: each level is a Gaussian given the sentence and the levels above."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_WIDTH
from textvae.distributions import HierarchicalGaussian, LevelNetwork
from textvae.layers import TopDown, at_least_float32
from textvae.posteriors.base import Posterior, PosteriorSettings
from textvae.types import Context


class HierarchicalPosteriorConfig(PosteriorSettings):
    """Settings of a hierarchical posterior; its levels divide the model's `latent_dim`."""

    kind: Literal["hierarchical"] = "hierarchical"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"levels": 2, "hidden_dim": 5}}
    factorizes: ClassVar[bool] = True
    levels: int = Field(2, ge=2, le=16, description="equal parts of z; a hierarchical prior must have the same number")
    hidden_dim: int = Field(64, gt=0, le=MAX_WIDTH, description="tanh units between the levels above and a level")
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    @property
    def num_levels(self) -> int:
        return self.levels

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> HierarchicalPosterior:
        return HierarchicalPosterior(self, feature_dim, latent_dim, num_labels)


class HierarchicalPosterior(Posterior):
    """q(z|x) = prod_l q(z_l | z_<l, x), each level a diagonal Gaussian, from the top down.

    Similar to the steps of Gregor et al. 2016 (arXiv 1604.08772) and the layers of DELLA for text (Hu et al. 2022,
    arXiv 2207.06130). Here all levels get the same features of the sentence. A level depends on the levels above by a
    tanh layer and a linear skip connection (`HierarchicalGaussian`), both initialized at zero, so that at first it is
    the Gaussian posterior.

    Means and scales are absolute, not relative to those of the prior as in NVAE (Vahdat & Kautz 2020, arXiv 2007.03898,
    section 3.2). With a relative mean m_p + d_m s_p and scale d_s s_p the KL is (d_m^2 + d_s^2 - 1 - log d_s^2) / 2,
    whatever the prior's m_p and s_p are. It would not train p(z_l | z_<l) to predict z_l from the levels above, and a
    level could lower it only by carrying no information. With absolute ones, the KL trains the prior towards the codes
    in use, which lowers the KL of a level without emptying it. They also allow any other prior on R^D.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D, divisible by `config.levels` (models check this when their config is read).
        num_labels: C; with labels, an embedding of y is added to all parameters that are linear in the features.

    >>> import torch
    >>> q = HierarchicalPosteriorConfig(levels=2).build(feature_dim=6, latent_dim=4)(torch.zeros(3, 6))
    >>> q.level_log_probs(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, config: HierarchicalPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0
    ) -> None:
        super().__init__()
        self.latent_dim, self.min_log_scale = latent_dim, math.log(config.min_scale)
        self.hidden = (config.levels - 1, config.hidden_dim)
        sizes = 2 * latent_dim + math.prod(self.hidden)
        self.parameters_of = nn.Linear(feature_dim, sizes)
        self.top_down = TopDown(latent_dim, config.levels, config.hidden_dim)
        self.label = None
        if num_labels:
            # At zero for the reason given in `GaussianPosterior`.
            self.label = nn.Embedding(num_labels, sizes)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> HierarchicalGaussian:
        parameters = at_least_float32(self.parameters_of(features_BH))
        if self.label is not None:
            assert context is not None and context.label_B is not None
            parameters = parameters + self.label(context.label_B)
        loc, log_scale, hidden = parameters.tensor_split((self.latent_dim, 2 * self.latent_dim), -1)
        networks = [LevelNetwork(*weights) for weights in self.top_down.networks()]
        return HierarchicalGaussian(loc, log_scale, hidden.unflatten(-1, self.hidden), networks, self.min_log_scale)
