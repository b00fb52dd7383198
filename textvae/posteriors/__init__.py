"""Features to q(z|x). To add a posterior: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.posteriors.base import Posterior
from textvae.posteriors.gaussian import BatchNormConfig, GaussianPosterior, GaussianPosteriorConfig

# A union of one needs no discriminator; pydantic asks for two members to have one.
PosteriorConfig = Annotated[GaussianPosteriorConfig, Field()]

__all__ = ["BatchNormConfig", "GaussianPosterior", "GaussianPosteriorConfig", "Posterior", "PosteriorConfig"]
