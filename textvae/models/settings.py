"""The base classes of the settings of models, and of models with a code z."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from textvae.config import MAX_WIDTH, Component
from textvae.decoders import DecoderConfig, LSTMDecoderConfig
from textvae.decoders.base import DecoderSettings
from textvae.encoders import EncoderConfig, LSTMEncoderConfig
from textvae.encoders.base import EncoderSettings
from textvae.posteriors import GaussianPosteriorConfig, PosteriorConfig
from textvae.posteriors.base import PosteriorSettings
from textvae.priors import PriorConfig, StandardNormalPriorConfig
from textvae.priors.base import PriorSettings

if TYPE_CHECKING:
    from torch import nn


class ModelSettings(Component):
    """The settings of a model, with the traits that other parts read before it is built.

    Attributes:
        has_code: whether a sentence has a code z.
        single_code: whether the decoder is conditioned on one vector z for each sentence and nothing else, such as a
            label.
        classifies: whether it predicts the label of a sentence. It then needs a corpus with labels.
        exact: whether log p(x) is computed exactly; otherwise only bounds are known.
    """

    has_code: ClassVar[bool] = True
    single_code: ClassVar[bool] = False
    classifies: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    @property
    def posterior_settings(self) -> PosteriorSettings | None:
        """The settings of q(z|x); None for a model without a code."""
        return None

    @property
    def prior_settings(self) -> PriorSettings | None:
        """The settings of p(z); None for a model without a code."""
        return None

    @property
    def encoder_settings(self) -> EncoderSettings | None:
        """The settings of the encoder; None for a model without one."""
        return None

    @property
    @abstractmethod
    def decoder_settings(self) -> DecoderSettings:
        """The settings of the decoder."""

    @property
    def vector_size(self) -> int:
        """H if the prior is conditioned on vectors of that size; else 0.

        >>> from textvae.models import LanguageModelConfig, TextVAEConfig
        >>> conditional = TextVAEConfig.model_validate({"prior": {"kind": "conditional", "vector_dim": 5}})
        >>> [model.vector_size for model in (conditional, TextVAEConfig(), LanguageModelConfig())]
        [5, 0, 0]
        """
        return 0 if self.prior_settings is None else self.prior_settings.vector_size

    @property
    def has_density(self) -> bool:
        """Whether log q(z|x) can be computed; true for a model without a code, which does not need it."""
        return self.posterior_settings is None or self.posterior_settings.has_density

    @property
    def fixed_mean(self) -> bool:
        """Whether the posterior's mean is the same for every sentence, so that active units are 0 even if z is used."""
        return self.posterior_settings is not None and self.posterior_settings.fixed_mean

    @abstractmethod
    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> nn.Module:
        """Build the model with new parameters.

        Args:
            vocab_size: V.
            max_tokens: the longest sentence in tokens, EOS not counted.
            label_names: the classes of the corpus.
        """


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

    @property
    def decoder_settings(self) -> DecoderSettings:
        return self.decoder
