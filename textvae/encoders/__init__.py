"""Tokens to features. To add an encoder: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.encoders.base import Encoder, EncoderSettings
from textvae.encoders.recurrent import GRUEncoderConfig, LSTMEncoderConfig, RecurrentEncoder
from textvae.encoders.transformer import TransformerEncoder, TransformerEncoderConfig

EncoderConfig = Annotated[
    LSTMEncoderConfig | GRUEncoderConfig | TransformerEncoderConfig,
    Field(discriminator="kind"),
]

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
