"""The inverse autoregressive flow posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_LAYERS, MAX_PARTS, MAX_WIDTH
from textvae.distributions import DiagonalGaussian, InverseAutoregressive
from textvae.layers import MaskedAutoregressive, at_least_float32
from textvae.posteriors.base import Posterior, PosteriorSettings
from textvae.types import Context


class InverseAutoregressivePosteriorConfig(PosteriorSettings):
    """Settings of an inverse autoregressive flow posterior."""

    kind: Literal["inverse_autoregressive"] = "inverse_autoregressive"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {"hidden_dim": 8, "context_dim": 3},
        "deep": {"hidden_dim": 6, "context_dim": 3, "steps": 3, "hidden_layers": 2},
    }
    steps: int = Field(
        2, ge=1, le=MAX_PARTS, description="flow steps, the order of the coordinates reversed between them"
    )
    hidden_dim: int = Field(64, gt=0, le=MAX_WIDTH, description="units of a hidden layer of each step's network")
    hidden_layers: int = Field(1, ge=1, le=MAX_LAYERS)
    context_dim: int = Field(32, gt=0, le=MAX_WIDTH, description="size of the networks' input from the sentence")
    gate_bias: float = Field(
        2.0,
        ge=-2,
        le=4,
        description="initial value of the gates, before their sigmoid; 2 keeps 88 % of a coordinate. Gates are bounded "
        "to -2 .. 4, at the ends of which they hardly learn",
    )
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation of the base")

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> InverseAutoregressivePosterior:
        return InverseAutoregressivePosterior(self, feature_dim, latent_dim, num_labels)


class InverseAutoregressivePosterior(Posterior):
    """q(z|x): a diagonal Gaussian given x, transformed by flow steps that depend on earlier coordinates and on x.

    Kingma et al. 2016 (arXiv 1606.04934), algorithm 1. Sampling, with the density of the sample, takes one pass for
    each step, which is all that training needs. The density of other codes is computed coordinate by coordinate; mutual
    information and path-derivative gradients need it. For `mean` and `center` see `InverseAutoregressive`.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, an embedding of y is added to the parameters of the base and to the context.

    >>> import torch
    >>> q = InverseAutoregressivePosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.zeros(3, 6))
    >>> q.rsample_and_log_prob((5,))[1].shape
    torch.Size([5, 3])
    """

    def __init__(
        self, config: InverseAutoregressivePosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0
    ) -> None:
        super().__init__()
        self.latent_dim, self.min_log_scale = latent_dim, math.log(config.min_scale)
        sizes = 2 * latent_dim + config.context_dim
        self.parameters_of = nn.Linear(feature_dim, sizes)
        self.steps = nn.ModuleList(
            MaskedAutoregressive(
                latent_dim,
                2,
                hidden_dim=config.hidden_dim,
                hidden_layers=config.hidden_layers,
                context_dim=config.context_dim,
                output_bias=(0.0, config.gate_bias),
            )
            for _ in range(config.steps)
        )
        self.label = None
        if num_labels:
            # At zero for the reason given in `GaussianPosterior`.
            self.label = nn.Embedding(num_labels, sizes)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> InverseAutoregressive:
        parameters = at_least_float32(self.parameters_of(features_BH))
        if self.label is not None:
            assert context is not None and context.label_B is not None
            parameters = parameters + self.label(context.label_B)
        loc, log_scale, seen = parameters.tensor_split((self.latent_dim, 2 * self.latent_dim), -1)
        base = DiagonalGaussian(loc, torch.exp(log_scale.clamp_min(self.min_log_scale)), validate_args=False)
        return InverseAutoregressive(base, [step.masked() for step in self.steps], seen)  # type: ignore[operator]
