"""Features to q(z|x). To add a posterior: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.posteriors.base import Posterior
from textvae.posteriors.gaussian import GaussianPosterior, GaussianPosteriorConfig
from textvae.posteriors.inverse_autoregressive import (
    InverseAutoregressivePosterior,
    InverseAutoregressivePosteriorConfig,
)
from textvae.posteriors.mixture import MixturePosterior, MixturePosteriorConfig
from textvae.posteriors.zero_mean import ZeroMeanPosterior, ZeroMeanPosteriorConfig

PosteriorConfig = Annotated[
    GaussianPosteriorConfig | InverseAutoregressivePosteriorConfig | MixturePosteriorConfig | ZeroMeanPosteriorConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "GaussianPosterior",
    "GaussianPosteriorConfig",
    "InverseAutoregressivePosterior",
    "InverseAutoregressivePosteriorConfig",
    "MixturePosterior",
    "MixturePosteriorConfig",
    "Posterior",
    "PosteriorConfig",
    "ZeroMeanPosterior",
    "ZeroMeanPosteriorConfig",
]
