"""Tokens to features. To add an encoder: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import kinds_of, one_of
from textvae.encoders.base import Encoder, EncoderSettings
from textvae.encoders.features import sentence_features
from textvae.encoders.pretrained import PretrainedEncoder, PretrainedEncoderConfig
from textvae.encoders.recurrent import GRUEncoderConfig, LSTMEncoderConfig, RecurrentEncoder
from textvae.encoders.transformer import TransformerEncoder, TransformerEncoderConfig

if TYPE_CHECKING:
    EncoderConfig: TypeAlias = EncoderSettings
else:
    EncoderConfig = one_of(EncoderSettings, globals())

FILES = tuple(
    dict.fromkeys(
        name
        for settings in kinds_of(EncoderConfig, EncoderSettings).values()  # type: ignore[type-abstract]
        for name in settings.file_names
    )
)
"""The names of all files that an encoder of any kind may have beside its weights."""

__all__ = [
    "FILES",
    "Encoder",
    "EncoderConfig",
    "EncoderSettings",
    "GRUEncoderConfig",
    "LSTMEncoderConfig",
    "PretrainedEncoder",
    "PretrainedEncoderConfig",
    "RecurrentEncoder",
    "TransformerEncoder",
    "TransformerEncoderConfig",
    "sentence_features",
]
