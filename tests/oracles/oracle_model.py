"""What the oracles share: models whose answers are known, behind the contract of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textvae.decoders import DecoderSettings
from textvae.distributions import LatentDistribution
from textvae.models import ModelSettings, TextModel
from textvae.types import Batch, Context


class OracleSettings(ModelSettings):
    """One vector a sentence, and no more to be said."""

    kind: Literal["oracle"] = "oracle"
    single_code: ClassVar[bool] = True

    @property
    def decoder_settings(self) -> DecoderSettings:
        raise NotImplementedError

    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> TextModel:
        raise NotImplementedError


class OracleModel(TextModel):
    """A model whose prior is a method of its own and knows nothing of the sentence."""

    def __init__(self, vocab_size: int, max_tokens: int) -> None:
        super().__init__(OracleSettings(), vocab_size, max_tokens)

    def prior(self, context: Context | None = None) -> LatentDistribution:
        raise NotImplementedError

    def prior_given(self, context: Context | None = None) -> LatentDistribution:
        return self.prior(context)

    def prior_of(self, batch: Batch) -> LatentDistribution:
        return self.prior()
