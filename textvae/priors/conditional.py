"""The Gaussian prior that is conditioned on a label or on a vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from textvae.config import MAX_PARTS, MAX_WIDTH
from textvae.distributions import DiagonalGaussian, GaussianMixture, LatentDistribution
from textvae.errors import ConfigError
from textvae.layers import at_least_float32
from textvae.priors.base import Prior, PriorSettings
from textvae.types import Context


class ConditionalPriorConfig(PriorSettings):
    """Settings of a conditional prior: the number of labels, or the size of the vector, on which it is conditioned."""

    kind: Literal["conditional"] = "conditional"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"num_labels": 3}}
    factorizes: ClassVar[bool] = True
    num_labels: int = Field(0, ge=0, le=MAX_PARTS, description="classes of the corpus, for p(z|label)")
    vector_dim: int = Field(0, ge=0, le=MAX_WIDTH, description="size of the vector, for p(z|vector); not in recipes")
    hidden_dim: int = Field(64, gt=0, le=MAX_WIDTH, description="hidden units between vector and parameters")
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")

    @model_validator(mode="after")
    def _one_condition(self) -> ConditionalPriorConfig:
        if (self.num_labels > 0) == (self.vector_dim > 0):
            raise ValueError(
                f"a conditional prior needs either num_labels or vector_dim above 0, got num_labels = "
                f"{self.num_labels} and vector_dim = {self.vector_dim}"
            )
        return self

    @property
    def label_count(self) -> int:
        return self.num_labels

    @property
    def vector_size(self) -> int:
        return self.vector_dim

    def build(self, *, latent_dim: int) -> ConditionalPrior:
        return ConditionalPrior(self, latent_dim)


class ConditionalPrior(Prior):
    """p(z|c) = N(mu(c), diag(s(c)^2)), initialized to N(0, I) for every c.

    The conditional VAE (Sohn et al. 2015; Doersch 2016, arXiv 1606.05908, section 4) with a learned prior:
    log p(x|c) >= E_q log p(x|z) - KL(q(z|x) || p(z|c)). The posterior and the decoder do not get c. For labels, the
    parameters are a table; for vectors, a network with one hidden layer.

    Without a label the prior is the mixture p(z) = sum_y p(y) p(z|y). This sums out the label exactly, because the
    decoder depends on it only through z. Bounds are then on log p(x), and generating needs no label. Evaluation hides
    the labels. Training and its validation use them, where bounds are on log p(x|y). p(y) is uniform until
    `set_label_prior` is called.

    A vector cannot be summed out, so every sentence needs one (`Batch.vector_BH`), bounds are on log p(x|v), and
    sentences are generated for given vectors. Corpora have no vectors: recipes refuse such a model, and it has to be
    trained by a loop in Python.

    Args:
        config: the settings.
        latent_dim: D.

    >>> prior = ConditionalPriorConfig(num_labels=3).build(latent_dim=2)
    >>> prior(Context(label_B=torch.tensor([0, 2]))).batch_shape, type(prior()).__name__
    (torch.Size([2]), 'GaussianMixture')
    """

    log_prior_C: Tensor

    def __init__(self, config: ConditionalPriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.num_labels, self.vector_dim = config.num_labels, config.vector_dim
        self.min_log_scale = math.log(config.min_scale)
        self.label = self.network = None
        if self.num_labels:
            self.label = nn.Embedding(self.num_labels, 2 * latent_dim)
            nn.init.zeros_(self.label.weight)
            self.register_buffer("log_prior_C", torch.full((self.num_labels,), -math.log(self.num_labels)))
        else:
            last = nn.Linear(config.hidden_dim, 2 * latent_dim)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.network = nn.Sequential(nn.Linear(self.vector_dim, config.hidden_dim), nn.Tanh(), last)

    def set_label_prior(self, counts_C: Tensor) -> None:
        """Set p(y) from the number of training sentences of each label, [C], with one added to each count."""
        self.log_prior_C.copy_(((counts_C + 1.0) / (counts_C + 1.0).sum()).log())

    def forward(self, context: Context | None = None) -> LatentDistribution:
        """
        Raises:
            ConfigError: the prior is conditioned on a vector and the context has none.
        """
        if self.network is not None:
            if context is None or context.vector_BH is None:
                raise ConfigError(
                    f"this prior is conditioned on a vector of {self.vector_dim} numbers, and the context has none; "
                    "give Context(vector_BH=...)."
                )
            vector_BH = context.vector_BH.to(next(self.network.parameters()).dtype)
            return self._gaussian(at_least_float32(self.network(vector_BH)))
        assert self.label is not None
        label_B = None if context is None else context.label_B
        if label_B is None:
            return self._over_labels(self.log_prior_C)
        known_B = label_B >= 0
        if bool(known_B.all()):
            return self._gaussian(self.label(label_B))
        one_hot_BC = label_B.unsqueeze(-1) == torch.arange(self.num_labels, device=label_B.device)
        certain_BC = torch.zeros_like(self.log_prior_C).expand(one_hot_BC.shape).masked_fill(~one_hot_BC, -torch.inf)
        return self._over_labels(torch.where(known_B.unsqueeze(-1), certain_BC, self.log_prior_C))

    def _gaussian(self, parameters: Tensor) -> DiagonalGaussian:
        loc, log_scale = parameters.chunk(2, -1)
        return DiagonalGaussian(loc, torch.exp(log_scale.clamp_min(self.min_log_scale)), validate_args=False)

    def _over_labels(self, log_weight_C: Tensor) -> GaussianMixture:
        """The mixture over labels, with weights [C] or [B, C]."""
        assert self.label is not None
        each = self._gaussian(self.label.weight)
        shape = (*log_weight_C.shape, each.event_shape[0])
        return GaussianMixture(log_weight_C, each.loc.expand(shape), each.scale.expand(shape))
