"""The posterior whose mean is zero for every sentence, so that only its variance carries information."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from textvae.distributions import DiagonalGaussian
from textvae.layers import VarianceLinear, at_least_float32
from textvae.posteriors.base import Posterior, PosteriorSettings
from textvae.types import Context


class ZeroMeanPosteriorConfig(PosteriorSettings):
    """Settings of a zero-mean posterior."""

    kind: Literal["zero_mean"] = "zero_mean"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}, "variance": {"head": "variance"}}
    factorizes: ClassVar[bool] = True
    fixed_mean: ClassVar[bool] = True
    head: Literal["linear", "variance"] = Field(
        "linear", description="log-scales linear in the features, or z as the output of a variance layer"
    )
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> ZeroMeanPosterior:
        return ZeroMeanPosterior(self, feature_dim, latent_dim, num_labels)


class ZeroMeanPosterior(Posterior):
    """q(z|x) = N(0, diag(s(x)^2)), so that KL(q || N(0, I)) = 0.5 sum_d (s_d^2 - 1 - log s_d^2).

    After Neklyudov et al. 2019 (arXiv 1803.03764), who show that networks can learn from variances alone. It is a
    diagnostic of collapse rather than a way to good bounds: the decoder can use only the magnitudes of z. As the mean
    is the same for all sentences, active units are always 0 and reconstructions from the mean are all the same. Judge
    it by its mutual information and by the cost of permuting z between sentences.

    Args:
        config: the settings. With ``head="variance"`` s(x)^2_j = sum_i x_i^2 s_ij^2: z is a sample of a
            `VarianceLinear` layer without bias, applied to the features.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, an embedding of y is added to the log-scales.

    >>> import torch
    >>> ZeroMeanPosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.randn(3, 6)).mean.any().item()
    False
    """

    def __init__(self, config: ZeroMeanPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0) -> None:
        super().__init__()
        self.min_log_scale = math.log(config.min_scale)
        self.log_scale_of = nn.Linear(feature_dim, latent_dim) if config.head == "linear" else None
        self.draws = VarianceLinear(feature_dim, latent_dim, bias=False) if config.head == "variance" else None
        self.label = None
        if num_labels:
            # At zero for the reason given in `GaussianPosterior`.
            self.label = nn.Embedding(num_labels, latent_dim)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> DiagonalGaussian:
        if self.draws is not None:
            log_scale = at_least_float32(self.draws.scale(features_BH)).log()
        else:
            assert self.log_scale_of is not None
            log_scale = at_least_float32(self.log_scale_of(features_BH))
        if self.label is not None:
            assert context is not None and context.label_B is not None
            log_scale = log_scale + self.label(context.label_B)
        scale = torch.exp(log_scale.clamp_min(self.min_log_scale))
        return DiagonalGaussian(torch.zeros_like(scale), scale, validate_args=False)
