"""The diagonal Gaussian posterior, with two options that keep its KL from vanishing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from textvae.config import Config
from textvae.distributions import DiagonalGaussian
from textvae.errors import ConfigError
from textvae.layers import FixedScaleBatchNorm, at_least_float32
from textvae.posteriors.base import Posterior, PosteriorSettings
from textvae.types import Context


class BatchNormConfig(Config):
    """Settings of a batch normalization of the posterior mean."""

    scale: float = Field(0.6, gt=0, description="standard deviation of the means over a batch; fixed, not trained")
    momentum: float = Field(0.1, gt=0, le=1, description="weight of a batch in the running statistics")


class GaussianPosteriorConfig(PosteriorSettings):
    """Settings of a diagonal Gaussian posterior."""

    kind: Literal["gaussian"] = "gaussian"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {},
        "batch-norm": {"batch_norm": {"scale": 0.6}},
        "committed": {"committed_rate": 2.0},
        "batch-norm-committed": {"batch_norm": {}, "committed_rate": 1.0},
    }
    factorizes: ClassVar[bool] = True
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")
    batch_norm: BatchNormConfig | None = Field(None, description="of the means over the sentences of a batch")
    committed_rate: float = Field(
        0.0, ge=0, description="least KL to the prior standard_normal, nats per sentence; 0 for none"
    )

    @property
    def batch_setting(self) -> str:
        return "" if self.batch_norm is None else "posterior.batch_norm"

    @property
    def least_rate(self) -> float:
        return self.committed_rate

    def require_dim(self, latent_dim: int) -> None:
        """Refuse a committed rate that needs scales below `min_scale`."""
        self.max_log_scale(latent_dim)

    def max_log_scale(self, latent_dim: int) -> float | None:
        """The upper bound of log-scales that guarantees `committed_rate`; None without such a rate.

        Raises:
            ConfigError: the bound is below `min_scale`.
        """
        if not self.committed_rate:
            return None
        largest = largest_log_scale(self.committed_rate / latent_dim)
        smallest = math.log(self.min_scale)
        if largest <= smallest:
            most = latent_dim * (0.5 * math.expm1(2.0 * smallest) - smallest)
            raise ConfigError(
                f"posterior.committed_rate = {self.committed_rate:g} over {latent_dim} dimensions needs scales below "
                f"posterior.min_scale = {self.min_scale:g}; commit to less than {most:.1f} nats, lower min_scale, or "
                "raise latent_dim."
            )
        return largest

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> GaussianPosterior:
        return GaussianPosterior(self, feature_dim, latent_dim, num_labels)


class GaussianPosterior(Posterior):
    """q(z|x) = N(mu(x), diag(s(x)^2)), mean and log-scale linear in the features.

    Kingma & Welling 2014 (arXiv 1312.6114), appendix C.2. Two options set a lower bound of its KL to N(0, I), whatever
    the decoder does. A KL above zero does not mean that z carries information about x: that is what `mi` and the cost
    of permuting z between sentences show.

    `batch_norm` (BN-VAE, Zhu et al. 2020, arXiv 2004.12585): over the sentences of a training batch each mean has
    variance gamma^2 (`scale`) around a trained shift. The mean KL is then at least sum_d (gamma^2 + shift_d^2) / 2 (to
    be exact, gamma^2 v_d / (v_d + 1e-5) in place of gamma^2, for a variance v_d before normalization). Means then
    differ between sentences, but the decoder may still ignore them. Evaluation normalizes by running statistics, so
    the bound holds there only as far as these agree with the statistics of the evaluated sentences. They are also
    used for a training batch of one sentence. With several processes each normalizes by its own slice of the batch.
    Training batches mix all lengths, because the statistics over sentences of one length would differ from those over
    the corpus. A label's embedding is added after the normalization, as a shift for each class.

    `committed_rate` (delta-VAE, Razavi et al. 2019, arXiv 1901.03416, here with independent dimensions): scales are
    bounded by the s < 1 at which (s^2 - 1 - log s^2) / 2 is `committed_rate` / D nats. The KL of each sentence is then
    above the committed rate even if its mean is 0. That KL comes from narrow posteriors, not from differences between
    sentences: the decoder may still ignore z, and the bound is then worse by so many nats. A learned prior could adapt
    to such a posterior and undo the guarantee, so models refuse to combine them.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, q(z|x, y) adds an embedding of y to mean and log-scale.

    Raises:
        ConfigError: the committed rate needs scales below `min_scale`.

    >>> import torch
    >>> GaussianPosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.zeros(3, 6)).batch_shape
    torch.Size([3])
    """

    def __init__(self, config: GaussianPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0) -> None:
        super().__init__()
        self.min_log_scale = math.log(config.min_scale)
        self.max_log_scale = config.max_log_scale(latent_dim)
        self.parameters_of = nn.Linear(feature_dim, 2 * latent_dim)
        self.normalize = None
        if config.batch_norm is not None:
            self.normalize = FixedScaleBatchNorm(
                latent_dim,
                scale=config.batch_norm.scale,
                momentum=config.batch_norm.momentum,
                rows_of_a_sentence=max(1, num_labels),
            )
        self.label = None
        if num_labels:
            # Initialized at zero, so that all labels are equally good before training. With a random embedding the
            # bound of unlabelled sentences would teach the classifier to prefer an arbitrary label.
            self.label = nn.Embedding(num_labels, 2 * latent_dim)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> DiagonalGaussian:
        loc, log_scale = at_least_float32(self.parameters_of(features_BH)).chunk(2, -1)
        if self.normalize is not None:
            loc = self.normalize(loc)
        if self.label is not None:
            assert context is not None and context.label_B is not None
            label_loc, label_log_scale = self.label(context.label_B).chunk(2, -1)
            loc, log_scale = loc + label_loc, log_scale + label_log_scale
        if self.max_log_scale is not None:
            # A smooth minimum, because a clamp has no gradient where a scale is at its bound.
            log_scale = self.max_log_scale - softplus(self.max_log_scale - log_scale)
        return DiagonalGaussian(loc, torch.exp(log_scale.clamp_min(self.min_log_scale)), validate_args=False)


def largest_log_scale(nats: float) -> float:
    """log of the largest s < 1 with KL(N(0, s^2) || N(0, 1)) = (s^2 - 1 - log s^2) / 2 >= nats, by bisection.

    >>> scale = math.exp(largest_log_scale(0.25))
    >>> round((scale**2 - 1 - math.log(scale**2)) / 2, 12)
    0.25
    """
    # As a function of l = log s < 0 the KL decreases, from above `nats` at `low` to 0 at `high`.
    low, high = -(nats + 1.0), 0.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if 0.5 * math.expm1(2.0 * middle) - middle >= nats:
            low = middle
        else:
            high = middle
    return low
