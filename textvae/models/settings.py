"""What every model with a code z is composed of."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from textvae.config import MAX_WIDTH
from textvae.decoders import DecoderConfig, DecoderSettings, LSTMDecoderConfig
from textvae.encoders import EncoderConfig, EncoderSettings, LSTMEncoderConfig
from textvae.models.base import ModelSettings
from textvae.posteriors import GaussianPosteriorConfig, PosteriorConfig, PosteriorSettings
from textvae.priors import PriorConfig, PriorSettings, StandardNormalPriorConfig


class CodeModelSettings(ModelSettings):
    """The settings of a model with a code: its latent dimension and its parts."""

    latent_dim: int = Field(32, gt=0, le=MAX_WIDTH)
    encoder: EncoderConfig = Field(default_factory=LSTMEncoderConfig)
    posterior: PosteriorConfig = Field(default_factory=GaussianPosteriorConfig)
    prior: PriorConfig = Field(default_factory=StandardNormalPriorConfig)
    decoder: DecoderConfig = Field(default_factory=LSTMDecoderConfig)

    @property
    def posterior_settings(self) -> PosteriorSettings:
        return self.posterior

    @property
    def prior_settings(self) -> PriorSettings:
        return self.prior

    @property
    def encoder_settings(self) -> EncoderSettings:
        return self.encoder

    def with_files(self, files: Mapping[str, bytes]) -> CodeModelSettings:
        return self.model_copy(update={"encoder": self.encoder.with_files(files)})

    @property
    def decoder_settings(self) -> DecoderSettings:
        return self.decoder
