"""The mixture posterior: a mixture of diagonal Gaussians."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_PARTS
from textvae.distributions import Estimator, GaussianMixture
from textvae.layers import at_least_float32
from textvae.posteriors.base import Posterior, PosteriorSettings
from textvae.types import Context


class MixturePosteriorConfig(PosteriorSettings):
    """Settings of a mixture posterior."""

    kind: Literal["mixture"] = "mixture"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {"components": 3},
        "pathwise": {"components": 3, "estimator": "pathwise"},
        "score": {"components": 3, "estimator": "score"},
    }
    pathwise_setting: ClassVar[str] = 'posterior.estimator = "pathwise"'
    components: int = Field(4, ge=1, le=MAX_PARTS)
    estimator: Estimator = Field(
        "stratified",
        description="gradient of the weights: stratified (every component is decoded: exact sum over components, K "
        "times the cost), pathwise (through z; only for components less than three standard deviations apart) or score "
        "(REINFORCE, noisy; only for the objectives elbo, unregularized)",
    )
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    @property
    def title(self) -> str:
        return f'{self.kind} posterior with estimator "{self.estimator}"'

    @property
    def reparameterized(self) -> bool:
        return False

    @property
    def needs_linear(self) -> bool:
        # The score estimator is biased if a function such as a logarithm is applied to the expectation.
        return self.estimator == "score"

    @property
    def samples_are_draws(self) -> bool:
        # Stratified samples are draws of the components, weighted by pi_k.
        return self.estimator != "stratified"

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> MixturePosterior:
        return MixturePosterior(self, feature_dim, latent_dim, num_labels)


class MixturePosterior(Posterior):
    """q(z|x) = sum_k pi_k(x) N(mu_k(x), diag(s_k(x)^2)), everything linear in the features.

    Graves 2016 (arXiv 1607.05690) for the pathwise gradient; see `GaussianMixture` for the estimators. The default is
    the stratified one, because trained components lie many standard deviations apart, where the pathwise gradient of
    the weights is lost in its noise. The KL has no closed form.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, an embedding of y is added to logits, means and log-scales.

    >>> import torch
    >>> q = MixturePosteriorConfig(components=3).build(feature_dim=6, latent_dim=2)(torch.zeros(5, 6))
    >>> q.loc.shape
    torch.Size([5, 3, 2])
    """

    def __init__(self, config: MixturePosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0) -> None:
        super().__init__()
        self.min_log_scale, self.estimator = math.log(config.min_scale), config.estimator
        self.components, self.latent_dim = config.components, latent_dim
        sizes = config.components * (1 + 2 * latent_dim)
        self.parameters_of = nn.Linear(feature_dim, sizes)
        with torch.no_grad():
            # Components that start equal get equal gradients and stay equal for long, so their means start apart.
            spread = self.parameters_of.bias[config.components :].view(config.components, 2, latent_dim)
            spread[:, 0] += 0.5 * torch.randn(config.components, latent_dim)
        self.label = None
        if num_labels:
            # At zero for the reason given in `GaussianPosterior`.
            self.label = nn.Embedding(num_labels, sizes)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> GaussianMixture:
        parameters = at_least_float32(self.parameters_of(features_BH))
        if self.label is not None:
            assert context is not None and context.label_B is not None
            parameters = parameters + self.label(context.label_B)
        logits, vectors = parameters.tensor_split((self.components,), -1)
        loc, log_scale = vectors.unflatten(-1, (self.components, 2, self.latent_dim)).unbind(-2)
        return GaussianMixture(logits, loc, torch.exp(log_scale.clamp_min(self.min_log_scale)), self.estimator)
