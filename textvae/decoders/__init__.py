"""z and tokens to log p(x|z). To add a decoder: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.decoders.base import Decoder, DecoderSettings
from textvae.decoders.recurrent import GRUDecoderConfig, LSTMDecoderConfig, RecurrentDecoder
from textvae.decoders.transformer import TransformerDecoder, TransformerDecoderConfig

if TYPE_CHECKING:
    DecoderConfig: TypeAlias = DecoderSettings
else:
    DecoderConfig = one_of(DecoderSettings, globals())

__all__ = [
    "Decoder",
    "DecoderConfig",
    "DecoderSettings",
    "GRUDecoderConfig",
    "LSTMDecoderConfig",
    "RecurrentDecoder",
    "TransformerDecoder",
    "TransformerDecoderConfig",
]
