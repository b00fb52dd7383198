"""A transformer encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from textvae.config import MAX_LAYERS, MAX_WIDTH
from textvae.encoders.base import Encoder, EncoderSettings
from textvae.layers import Pooling, TransformerBlock, pool, valid_positions
from textvae.types import PAD_ID


class TransformerEncoderConfig(EncoderSettings):
    """Settings of a transformer encoder."""

    kind: Literal["transformer"] = "transformer"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        pooling: {"model_dim": 8, "layers": 2, "heads": 2, "pooling": pooling} for pooling in ("mean", "last", "max")
    }
    model_dim: int = Field(256, gt=0, le=MAX_WIDTH)
    layers: int = Field(4, gt=0, le=MAX_LAYERS)
    heads: int = Field(4, gt=0, le=MAX_WIDTH)
    feed_forward_dim: int | None = Field(None, gt=0, le=4 * MAX_WIDTH, description="four times model_dim when absent")
    pooling: Pooling = "mean"
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerEncoderConfig:
        if self.model_dim % self.heads:
            raise ValueError(f"heads = {self.heads} must divide model_dim = {self.model_dim}")
        return self

    @property
    def reads_last_state(self) -> bool:
        return self.pooling == "last"

    def build(self, *, vocab_size: int, max_tokens: int | None = None) -> TransformerEncoder:
        return TransformerEncoder(self, vocab_size, max_tokens or 512)


class TransformerEncoder(Encoder):
    """Word and position embeddings, transformer blocks with bidirectional attention, a final norm, and pooling.

    Args:
        config: the settings.
        vocab_size: V.
        max_tokens: the longest sentence in tokens, EOS not counted.

    >>> import torch
    >>> encoder = TransformerEncoderConfig(model_dim=8, layers=1, heads=2).build(vocab_size=10, max_tokens=5)
    >>> encoder(torch.tensor([[1, 5, 6, 2]]), torch.tensor([4])).shape
    torch.Size([1, 8])
    """

    def __init__(self, config: TransformerEncoderConfig, vocab_size: int, max_tokens: int) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.embedding = nn.Embedding(vocab_size, config.model_dim, padding_idx=PAD_ID)
        self.position = nn.Embedding(max_tokens + 1, config.model_dim)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)
        wide = config.feed_forward_dim or 4 * config.model_dim
        self.blocks = nn.ModuleList(
            TransformerBlock(config.model_dim, config.heads, wide, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.model_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.feature_dim = config.model_dim

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        words, read_B = tokens_BT[:, 1:], lengths_B - 1
        place_T = torch.arange(words.shape[1], device=words.device)
        x = self.dropout(self.embedding(words) + self.position(place_T))
        mask = valid_positions(read_B, words.shape[1])[:, None, None, :]
        for block in self.blocks:
            x, _ = block(x, causal=False, mask=mask)
        return pool(self.norm(x), read_B, self.pooling)
