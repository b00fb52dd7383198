"""Features to q(z|x). To add a posterior: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.posteriors.base import JointDensity, NeedsJoint, Posterior, PosteriorSettings, Refined
from textvae.posteriors.gaussian import BatchNormConfig, GaussianPosterior, GaussianPosteriorConfig
from textvae.posteriors.hamiltonian import Hamiltonian, HamiltonianPosterior, HamiltonianPosteriorConfig
from textvae.posteriors.hierarchical import HierarchicalPosterior, HierarchicalPosteriorConfig
from textvae.posteriors.inverse_autoregressive import (
    InverseAutoregressivePosterior,
    InverseAutoregressivePosteriorConfig,
)
from textvae.posteriors.mixture import MixturePosterior, MixturePosteriorConfig
from textvae.posteriors.power_spherical import PowerSphericalPosterior, PowerSphericalPosteriorConfig
from textvae.posteriors.semi_amortized import SemiAmortizedPosterior, SemiAmortizedPosteriorConfig
from textvae.posteriors.stein import SteinPosterior, SteinPosteriorConfig
from textvae.posteriors.tempering import (
    FixedTemperingConfig,
    FreeTemperingConfig,
    NoTemperingConfig,
    TemperingConfig,
)
from textvae.posteriors.von_mises_fisher import VonMisesFisherPosterior, VonMisesFisherPosteriorConfig
from textvae.posteriors.zero_mean import ZeroMeanPosterior, ZeroMeanPosteriorConfig

if TYPE_CHECKING:
    PosteriorConfig: TypeAlias = PosteriorSettings
else:
    PosteriorConfig = one_of(PosteriorSettings, globals())

__all__ = [
    "BatchNormConfig",
    "FixedTemperingConfig",
    "FreeTemperingConfig",
    "GaussianPosterior",
    "GaussianPosteriorConfig",
    "Hamiltonian",
    "HamiltonianPosterior",
    "HamiltonianPosteriorConfig",
    "HierarchicalPosterior",
    "HierarchicalPosteriorConfig",
    "InverseAutoregressivePosterior",
    "InverseAutoregressivePosteriorConfig",
    "JointDensity",
    "MixturePosterior",
    "MixturePosteriorConfig",
    "NeedsJoint",
    "NoTemperingConfig",
    "Posterior",
    "PosteriorConfig",
    "PosteriorSettings",
    "PowerSphericalPosterior",
    "PowerSphericalPosteriorConfig",
    "Refined",
    "SemiAmortizedPosterior",
    "SemiAmortizedPosteriorConfig",
    "SteinPosterior",
    "SteinPosteriorConfig",
    "TemperingConfig",
    "VonMisesFisherPosterior",
    "VonMisesFisherPosteriorConfig",
    "ZeroMeanPosterior",
    "ZeroMeanPosteriorConfig",
]
