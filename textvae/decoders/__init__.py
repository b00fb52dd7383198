"""z and tokens to log p(x|z). To add a decoder: one file, one line here, one line in the contract test's list."""

from typing import Annotated

from pydantic import Field

from textvae.decoders.base import Decoder, DecoderSettings
from textvae.decoders.recurrent import GRUDecoderConfig, LSTMDecoderConfig, RecurrentDecoder
from textvae.decoders.transformer import TransformerDecoder, TransformerDecoderConfig

DecoderConfig = Annotated[
    LSTMDecoderConfig | GRUDecoderConfig | TransformerDecoderConfig,
    Field(discriminator="kind"),
]

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
