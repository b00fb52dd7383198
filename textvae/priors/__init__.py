"""Priors p(z). To add one: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.priors.autoregressive_flow import AutoregressiveFlowPrior, AutoregressiveFlowPriorConfig
from textvae.priors.base import MemoryPrior, Prior, PriorSettings
from textvae.priors.conditional import ConditionalPrior, ConditionalPriorConfig
from textvae.priors.hierarchical import HierarchicalPrior, HierarchicalPriorConfig
from textvae.priors.hyperspherical_uniform import HypersphericalUniformPrior, HypersphericalUniformPriorConfig
from textvae.priors.mixture import MixturePrior, MixturePriorConfig
from textvae.priors.nearest_neighbors import NearestNeighborsPrior, NearestNeighborsPriorConfig
from textvae.priors.standard_normal import StandardNormalPrior, StandardNormalPriorConfig
from textvae.priors.vamp import VampPrior, VampPriorConfig

if TYPE_CHECKING:
    PriorConfig: TypeAlias = PriorSettings
else:
    PriorConfig = one_of(PriorSettings, globals())

__all__ = [
    "AutoregressiveFlowPrior",
    "AutoregressiveFlowPriorConfig",
    "ConditionalPrior",
    "ConditionalPriorConfig",
    "HierarchicalPrior",
    "HierarchicalPriorConfig",
    "HypersphericalUniformPrior",
    "HypersphericalUniformPriorConfig",
    "MemoryPrior",
    "MixturePrior",
    "MixturePriorConfig",
    "NearestNeighborsPrior",
    "NearestNeighborsPriorConfig",
    "Prior",
    "PriorConfig",
    "PriorSettings",
    "StandardNormalPrior",
    "StandardNormalPriorConfig",
    "VampPrior",
    "VampPriorConfig",
]
