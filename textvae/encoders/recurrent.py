"""LSTM and GRU encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_LAYERS, MAX_WIDTH
from textvae.encoders.base import Encoder, EncoderSettings
from textvae.layers import Cell, LockedDropout, Pooling, RecurrentStack, pool
from textvae.types import PAD_ID

_SMALL = {"embedding_dim": 6, "hidden_dim": 5}


class _RecurrentEncoderConfig(EncoderSettings):
    embedding_dim: int = Field(256, gt=0, le=MAX_WIDTH)
    hidden_dim: int = Field(256, gt=0, le=MAX_WIDTH, description="features of the state, of each direction")
    layers: int = Field(1, gt=0, le=MAX_LAYERS)
    bidirectional: bool = False
    pooling: Pooling = "last"
    dropout: float = Field(0.0, ge=0, lt=1, description="locked dropout on embeddings, between layers and on outputs")

    @property
    def reads_last_state(self) -> bool:
        return self.pooling == "last"

    def build(self, *, vocab_size: int, max_tokens: int | None = None) -> RecurrentEncoder:
        return RecurrentEncoder(self, vocab_size)


class LSTMEncoderConfig(_RecurrentEncoderConfig):
    """Settings of an LSTM encoder."""

    kind: Literal["lstm"] = "lstm"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": _SMALL,
        "bidirectional-2-layers": {**_SMALL, "layers": 2, "bidirectional": True},
        "bidirectional-max": {**_SMALL, "bidirectional": True, "pooling": "max"},
        "mean": {**_SMALL, "pooling": "mean"},
    }


class GRUEncoderConfig(_RecurrentEncoderConfig):
    """Settings of a GRU encoder."""

    kind: Literal["gru"] = "gru"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": _SMALL,
        "bidirectional": {**_SMALL, "layers": 2, "bidirectional": True},
    }


class RecurrentEncoder(Encoder):
    """Word embeddings, LSTM or GRU layers, and pooling of the states.

    Args:
        config: the settings.
        vocab_size: V.

    >>> import torch
    >>> encoder = LSTMEncoderConfig(embedding_dim=4, hidden_dim=3, bidirectional=True).build(vocab_size=10)
    >>> encoder(torch.tensor([[1, 5, 6, 2]]), torch.tensor([4])).shape
    torch.Size([1, 6])
    """

    def __init__(self, config: _RecurrentEncoderConfig, vocab_size: int) -> None:
        super().__init__()
        cell: Cell = config.kind  # type: ignore[assignment]
        self.pooling = config.pooling
        self.embedding = nn.Embedding(vocab_size, config.embedding_dim, padding_idx=PAD_ID)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.stack = RecurrentStack(
            cell, config.embedding_dim, config.hidden_dim, config.layers, config.bidirectional, config.dropout
        )
        self.dropout = LockedDropout(config.dropout)
        self.feature_dim = self.stack.output_dim

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        read_B = lengths_B - 1
        embedded = self.dropout(self.embedding(tokens_BT[:, 1:]))
        states, _ = self.stack(embedded, read_B)
        states = self.dropout(states)
        if self.pooling == "last":
            return self.stack.last_state(states, read_B)
        return pool(states, read_B, self.pooling)
