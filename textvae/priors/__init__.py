"""Priors p(z). To add one: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.priors.base import Prior
from textvae.priors.hyperspherical_uniform import HypersphericalUniformPrior, HypersphericalUniformPriorConfig
from textvae.priors.standard_normal import StandardNormalPrior, StandardNormalPriorConfig

PriorConfig = Annotated[
    HypersphericalUniformPriorConfig
    | StandardNormalPriorConfig,
    Field(discriminator="kind"),
]  # fmt: skip

__all__ = [
    "HypersphericalUniformPrior",
    "HypersphericalUniformPriorConfig",
    "Prior",
    "PriorConfig",
    "StandardNormalPrior",
    "StandardNormalPriorConfig",
]
