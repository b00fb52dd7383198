"""Tokens to features. To add an encoder: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.encoders.base import Encoder, EncoderSettings
from textvae.encoders.recurrent import GRUEncoderConfig, LSTMEncoderConfig, RecurrentEncoder
from textvae.encoders.transformer import TransformerEncoder, TransformerEncoderConfig

if TYPE_CHECKING:
    EncoderConfig: TypeAlias = EncoderSettings
else:
    EncoderConfig = one_of(EncoderSettings, globals())

__all__ = [
    "Encoder",
    "EncoderConfig",
    "EncoderSettings",
    "GRUEncoderConfig",
    "LSTMEncoderConfig",
    "RecurrentEncoder",
    "TransformerEncoder",
    "TransformerEncoderConfig",
]
