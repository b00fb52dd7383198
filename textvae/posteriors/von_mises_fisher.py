"""The von Mises-Fisher posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from textvae.distributions import RotationallySymmetric, VonMisesFisher
from textvae.posteriors.spherical import SphericalPosterior, SphericalPosteriorConfig


class VonMisesFisherPosteriorConfig(SphericalPosteriorConfig):
    """Settings of a von Mises-Fisher posterior; its prior is `hyperspherical_uniform`."""

    kind: Literal["von_mises_fisher"] = "von_mises_fisher"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "rate": {"concentration": {"kind": "rate", "nats": 2.0}},
        "learned": {"concentration": {"kind": "learned"}},
    }
    family: ClassVar[type[RotationallySymmetric]] = VonMisesFisher

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> VonMisesFisherPosterior:
        return VonMisesFisherPosterior(self, feature_dim, latent_dim, num_labels)


class VonMisesFisherPosterior(SphericalPosterior):
    """q(z|x) = vMF(mu(x), k), with k fixed, set by its rate, or learned.

    Fixed: Xu & Durrett 2018 (arXiv 1808.10805), section 3.2. Learned: Davidson et al. 2018 (arXiv 1804.00891), section
    3.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D, at least 2.
        num_labels: C; see `SphericalPosterior`.

    Raises:
        ConfigError: see `SphericalPosterior`.

    >>> import torch
    >>> config = VonMisesFisherPosteriorConfig(concentration={"kind": "rate", "nats": 3.0})
    >>> q = config.build(feature_dim=6, latent_dim=4)(torch.zeros(2, 6))
    >>> [round(kl, 4) for kl in q.kl_to_uniform().tolist()]
    [3.0, 3.0]
    """

    def __init__(
        self, config: VonMisesFisherPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0
    ) -> None:
        super().__init__(config, feature_dim, latent_dim, num_labels)
