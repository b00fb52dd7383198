"""Features to q(z|x). To add a posterior: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.posteriors.base import JointDensity, NeedsJoint, Posterior, Refined
from textvae.posteriors.gaussian import GaussianPosterior, GaussianPosteriorConfig
from textvae.posteriors.semi_amortized import SemiAmortizedPosterior, SemiAmortizedPosteriorConfig

PosteriorConfig = Annotated[
    GaussianPosteriorConfig | SemiAmortizedPosteriorConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "GaussianPosterior",
    "GaussianPosteriorConfig",
    "JointDensity",
    "NeedsJoint",
    "Posterior",
    "PosteriorConfig",
    "Refined",
    "SemiAmortizedPosterior",
    "SemiAmortizedPosteriorConfig",
]
