"""The masked autoregressive flow prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from textvae.config import MAX_LAYERS, MAX_PARTS, MAX_WIDTH
from textvae.distributions import MaskedAutoregressiveFlow
from textvae.layers import MaskedAutoregressive
from textvae.priors.base import Prior, PriorSettings
from textvae.types import Context


class AutoregressiveFlowPriorConfig(PriorSettings):
    """Settings of an autoregressive flow prior."""

    kind: Literal["autoregressive_flow"] = "autoregressive_flow"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"hidden_dim": 8}}
    steps: int = Field(
        2, ge=1, le=MAX_PARTS, description="flow steps, the order of the coordinates reversed between them"
    )
    hidden_dim: int = Field(64, gt=0, le=MAX_WIDTH, description="units of a hidden layer of each step's network")
    hidden_layers: int = Field(1, ge=1, le=MAX_LAYERS)

    def build(self, *, latent_dim: int) -> AutoregressiveFlowPrior:
        return AutoregressiveFlowPrior(self, latent_dim)


class AutoregressiveFlowPrior(Prior):
    """p(z) as a masked autoregressive flow over N(0, I): densities take one pass, sampling is coordinate by coordinate.

    Papamakarios et al. 2017 (arXiv 1705.07057). Chen et al. 2017 (arXiv 1611.02731) use it as the prior of a VAE, and
    show that it is equivalent to an inverse autoregressive posterior with a deeper decoder. It is near N(0, I) before
    training.

    Args:
        config: the settings.
        latent_dim: D.

    >>> import torch
    >>> AutoregressiveFlowPriorConfig().build(latent_dim=2)().log_prob(torch.zeros(5, 2)).shape
    torch.Size([5])
    """

    def __init__(self, config: AutoregressiveFlowPriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.steps = nn.ModuleList(
            MaskedAutoregressive(latent_dim, 2, hidden_dim=config.hidden_dim, hidden_layers=config.hidden_layers)
            for _ in range(config.steps)
        )

    def forward(self, context: Context | None = None) -> MaskedAutoregressiveFlow:
        networks = [step.masked() for step in self.steps]  # type: ignore[operator]
        return MaskedAutoregressiveFlow(networks, self.latent_dim, networks[0].direct)
