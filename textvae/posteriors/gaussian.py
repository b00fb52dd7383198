"""The diagonal Gaussian posterior."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from textvae.config import Component
from textvae.distributions import DiagonalGaussian
from textvae.layers import at_least_float32
from textvae.posteriors.base import Posterior
from textvae.types import Context


class GaussianPosteriorConfig(Component):
    """Settings of a diagonal Gaussian posterior."""

    kind: Literal["gaussian"] = "gaussian"
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> GaussianPosterior:
        return GaussianPosterior(self, feature_dim, latent_dim, num_labels)


class GaussianPosterior(Posterior):
    """q(z|x) = N(mu(x), diag(s(x)^2)), mean and log-scale linear in the features.

    Kingma & Welling 2014 (arXiv 1312.6114), appendix C.2.

    Args:
        config: its settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, q(z|x, y) adds an embedding of y to mean and log-scale.

    >>> import torch
    >>> GaussianPosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.zeros(3, 6)).batch_shape
    torch.Size([3])
    """

    def __init__(self, config: GaussianPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0) -> None:
        super().__init__()
        self.min_log_scale = math.log(config.min_scale)
        self.parameters_of = nn.Linear(feature_dim, 2 * latent_dim)
        self.label = None
        if num_labels:
            # At zero no label is better than another before anything was learned: a random start would teach
            # a classifier, through the bound of unlabelled sentences, to prefer whatever chance had favored.
            self.label = nn.Embedding(num_labels, 2 * latent_dim)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> DiagonalGaussian:
        parameters = at_least_float32(self.parameters_of(features_BH))
        if self.label is not None:
            assert context is not None and context.label_B is not None
            parameters = parameters + self.label(context.label_B)
        loc, log_scale = parameters.chunk(2, -1)
        return DiagonalGaussian(loc, torch.exp(log_scale.clamp_min(self.min_log_scale)), validate_args=False)
