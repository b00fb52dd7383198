"""The VampPrior: the mixture of the model's posteriors at learned pseudo-inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_PARTS
from textvae.distributions import EqualMixture
from textvae.errors import ConfigError
from textvae.priors.base import FeaturesToCodes, Prior, PriorSettings
from textvae.types import Context


class VampPriorConfig(PriorSettings):
    """Settings of a Vamp prior."""

    kind: Literal["vamp"] = "vamp"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"components": 4}}
    scores_posterior: ClassVar[bool] = True
    components: int = Field(50, ge=1, le=MAX_PARTS, description="pseudo-inputs")
    spread: float = Field(0.5, gt=0, description="standard deviation of the pseudo-inputs' features before training")

    def build(self, *, latent_dim: int) -> VampPrior:
        return VampPrior(self, latent_dim)


class VampPrior(Prior):
    """p(z) = (1 / K) sum_k q(z|u_k), where q is the model's posterior.

    Tomczak & Welling 2018 (arXiv 1705.07120), eq. 9. Sentences are discrete, so the pseudo-inputs u_k are learned in
    the space of the encoder's features. Every posterior with a density is possible; one whose density is slow (a flow)
    makes this prior slow. If q is conditioned on a label, pseudo-input k has the label k mod C.

    Args:
        config: the settings.
        latent_dim: D.

    >>> from textvae.distributions import DiagonalGaussian
    >>> prior = VampPriorConfig(components=3).build(latent_dim=2)
    >>> prior.compose(lambda features, context: DiagonalGaussian(features[:, :2], torch.ones(2)), feature_dim=4)
    >>> prior().log_prob(torch.zeros(5, 2)).shape
    torch.Size([5])
    """

    pseudo_KH: nn.Parameter

    def __init__(self, config: VampPriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.config = config
        # In a tuple, so that torch does not register the posterior as a submodule and save it twice.
        self._posterior: tuple[FeaturesToCodes, ...] = ()
        self._labels = 0

    def compose(self, posterior: FeaturesToCodes, *, feature_dim: int, num_labels: int = 0) -> None:
        self._posterior, self._labels = (posterior,), num_labels
        self.pseudo_KH = nn.Parameter(self.config.spread * torch.randn(self.config.components, feature_dim))

    def forward(self, context: Context | None = None) -> EqualMixture:
        """
        Raises:
            ConfigError: the prior was used outside a model.
        """
        if not self._posterior:
            raise ConfigError("a vamp prior was given no posterior; call compose(posterior, feature_dim=...) first.")
        return EqualMixture(self._posterior[0](self.pseudo_KH, self._label_context()))

    def _label_context(self) -> Context | None:
        if not self._labels:
            return None
        label_K: Tensor = torch.arange(len(self.pseudo_KH), device=self.pseudo_KH.device) % self._labels
        return Context(label_B=label_K)
