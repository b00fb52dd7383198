"""Priors p(z). To add one: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.priors.autoregressive_flow import AutoregressiveFlowPrior, AutoregressiveFlowPriorConfig
from textvae.priors.base import MemoryPrior, Prior, PriorSettings
from textvae.priors.conditional import ConditionalPrior, ConditionalPriorConfig
from textvae.priors.hierarchical import HierarchicalPrior, HierarchicalPriorConfig
from textvae.priors.hyperspherical_uniform import HypersphericalUniformPrior, HypersphericalUniformPriorConfig
from textvae.priors.mixture import MixturePrior, MixturePriorConfig
from textvae.priors.nearest_neighbors import NearestNeighborsPrior, NearestNeighborsPriorConfig
from textvae.priors.standard_normal import StandardNormalPrior, StandardNormalPriorConfig
from textvae.priors.vamp import VampPrior, VampPriorConfig

PriorConfig = Annotated[
    AutoregressiveFlowPriorConfig
    | ConditionalPriorConfig
    | HierarchicalPriorConfig
    | HypersphericalUniformPriorConfig
    | MixturePriorConfig
    | NearestNeighborsPriorConfig
    | StandardNormalPriorConfig
    | VampPriorConfig,
    Field(discriminator="kind"),
]  # fmt: skip

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
