"""The power spherical posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from textvae.distributions import PowerSpherical, RotationallySymmetric
from textvae.posteriors.spherical import SphericalPosterior, SphericalPosteriorConfig


class PowerSphericalPosteriorConfig(SphericalPosteriorConfig):
    """Settings of a power spherical posterior; its prior is `hyperspherical_uniform`."""

    kind: Literal["power_spherical"] = "power_spherical"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "fixed": {"concentration": {"kind": "fixed", "value": 6.0}},
        "learned": {"concentration": {"kind": "learned", "floor": 0.5}},
    }
    family: ClassVar[type[RotationallySymmetric]] = PowerSpherical

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> PowerSphericalPosterior:
        return PowerSphericalPosterior(self, feature_dim, latent_dim, num_labels)


class PowerSphericalPosterior(SphericalPosterior):
    """q(z|x) = PowerSpherical(mu(x), k), with k fixed, set by its rate, or learned.

    De Cao & Aziz 2020, arXiv 2006.04437.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D, at least 2.
        num_labels: C; see `SphericalPosterior`.

    Raises:
        ConfigError: see `SphericalPosterior`.

    >>> import torch
    >>> config = PowerSphericalPosteriorConfig(concentration={"kind": "learned", "floor": 2.0})
    >>> q = config.build(feature_dim=6, latent_dim=4)(torch.randn(2, 6))
    >>> bool((q.concentration > 2.0).all())
    True
    """

    def __init__(
        self, config: PowerSphericalPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0
    ) -> None:
        super().__init__(config, feature_dim, latent_dim, num_labels)
