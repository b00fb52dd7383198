"""Priors p(z). To add one: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.priors.base import Prior
from textvae.priors.standard_normal import StandardNormalPrior, StandardNormalPriorConfig

PriorConfig = Annotated[StandardNormalPriorConfig, Field()]

__all__ = ["Prior", "PriorConfig", "StandardNormalPrior", "StandardNormalPriorConfig"]
