"""The base class of posteriors on the sphere: a direction from the features, and three kinds of concentration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from textvae.config import Component
from textvae.distributions import RotationallySymmetric
from textvae.errors import ConfigError
from textvae.layers import at_least_float32
from textvae.posteriors.base import Posterior, PosteriorSettings
from textvae.types import SPHERE, Context, Support

_GREATEST = 1e6
"""The largest concentration. Beyond it, float32 samples cannot be distinguished from their mean direction."""


class FixedConcentration(Component):
    """One concentration for all sentences. The KL to the uniform prior is then a constant and cannot collapse."""

    kind: Literal["fixed"] = "fixed"
    value: float = Field(gt=0, le=_GREATEST, description="the concentration")


class RateConcentration(Component):
    """One concentration for all sentences, chosen such that KL(q || uniform) has a given value."""

    kind: Literal["rate"] = "rate"
    nats: float = Field(5.0, gt=0, description="KL of every sentence, nats")


class LearnedConcentration(Component):
    """A concentration for each sentence: a floor plus softplus of a linear function of the features, at most 1e6."""

    kind: Literal["learned"] = "learned"
    floor: float = Field(1.0, ge=0, le=_GREATEST, description="smallest concentration")


ConcentrationConfig = Annotated[
    FixedConcentration | RateConcentration | LearnedConcentration, Field(discriminator="kind")
]


class SphericalPosteriorConfig(PosteriorSettings):
    """Settings of a posterior on the sphere."""

    support: ClassVar[Support] = SPHERE
    family: ClassVar[type[RotationallySymmetric]]
    concentration: ConcentrationConfig = Field(default_factory=RateConcentration)

    @property
    def reparameterized(self) -> bool:
        # The direction is reparameterized explicitly; only the gradient of a learned concentration is implicit.
        return not isinstance(self.concentration, LearnedConcentration)

    def require_dim(self, latent_dim: int) -> None:
        """Refuse a sphere of fewer than two dimensions, and a rate that no concentration reaches."""
        if latent_dim < 2:
            raise ConfigError(f"latent_dim is {latent_dim}; a posterior on the sphere needs at least 2 dimensions.")
        if isinstance(self.concentration, RateConcentration):
            _require_reachable(self.family, latent_dim, self.concentration.nats)


class SphericalPosterior(Posterior):
    """q(z|x) around the direction mu(x), a linear function of the features divided by its norm.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, an embedding of y is added before the norm and the softplus.

    Raises:
        ConfigError: a sphere of fewer than two dimensions, or a rate that no concentration reaches.
    """

    concentration: Tensor | None

    def __init__(
        self,
        config: SphericalPosteriorConfig,
        feature_dim: int,
        latent_dim: int,
        num_labels: int = 0,
    ) -> None:
        super().__init__()
        config.require_dim(latent_dim)
        self.family, self.latent_dim, self.floor = config.family, latent_dim, 0.0
        concentration = None
        match config.concentration:
            case FixedConcentration(value=value):
                concentration = torch.tensor(value)
            case RateConcentration(nats=nats):
                concentration = torch.tensor(concentration_of_rate(self.family, latent_dim, nats))
            case LearnedConcentration(floor=floor):
                self.floor = floor
        # Not saved with the weights, as the config determines it.
        self.register_buffer("concentration", concentration, persistent=False)
        outputs = latent_dim + (concentration is None)
        self.parameters_of = nn.Linear(feature_dim, outputs)
        self.label = None
        if num_labels:
            # At zero for the reason given in `GaussianPosterior`.
            self.label = nn.Embedding(num_labels, outputs)
            nn.init.zeros_(self.label.weight)

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> RotationallySymmetric:
        parameters = at_least_float32(self.parameters_of(features_BH))
        if self.label is not None:
            assert context is not None and context.label_B is not None
            parameters = parameters + self.label(context.label_B)
        loc = F.normalize(parameters[..., : self.latent_dim], dim=-1)
        concentration = self.concentration
        if concentration is None:
            concentration = (self.floor + F.softplus(parameters[..., self.latent_dim])).clamp_max(_GREATEST)
        return self.family(loc, concentration.to(loc.dtype), validate_args=False)


def concentration_of_rate(family: Callable[..., RotationallySymmetric], latent_dim: int, nats: float) -> float:
    """The concentration at which KL(q || uniform) is `nats`, by bisection, as the KL increases with the concentration.

    Raises:
        ConfigError: the KL is below `nats` even at the largest concentration, `_GREATEST`.

    >>> from textvae.distributions import VonMisesFisher
    >>> round(concentration_of_rate(VonMisesFisher, 50, 19.51520793), 4)
    80.0
    """
    _require_reachable(family, latent_dim, nats)
    low, high = math.log(1e-6), math.log(_GREATEST)
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _rate(family, latent_dim, math.exp(middle)) < nats else (low, middle)
    return math.exp(0.5 * (low + high))


def _require_reachable(family: Callable[..., RotationallySymmetric], latent_dim: int, nats: float) -> None:
    most = _rate(family, latent_dim, _GREATEST)
    if most < nats:
        raise ConfigError(
            f"no concentration up to {_GREATEST:g} gives a KL of {nats:g} nats in {latent_dim} dimensions; "
            f"ask for at most {most:.1f} nats, or raise latent_dim."
        )


def _rate(family: Callable[..., RotationallySymmetric], latent_dim: int, concentration: float) -> float:
    """KL(q || uniform) of this concentration, nats."""
    loc_D = F.one_hot(torch.tensor(0, device="cpu"), latent_dim).double()
    q = family(loc_D, torch.tensor(concentration, dtype=torch.float64, device="cpu"), validate_args=False)
    return q.kl_to_uniform().item()
