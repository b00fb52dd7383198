"""A transformer decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from textvae.config import MAX_LAYERS, MAX_PARTS, MAX_WIDTH
from textvae.decoders.base import Decoder, DecoderSettings, label_rows
from textvae.layers import Cache, Linear, TransformerBlock, VocabularyProjection
from textvae.types import PAD_ID, Context

_SMALL = {"model_dim": 8, "layers": 2, "heads": 2}


class TransformerDecoderConfig(DecoderSettings):
    """Settings of a transformer decoder."""

    kind: Literal["transformer"] = "transformer"
    added: ClassVar[frozenset[str]] = frozenset({"label_to"})
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "prefix": {**_SMALL, "z_to": "prefix"},
        "embedding": {**_SMALL, "z_to": "embedding", "word_dropout": 0.4},
        "cross": {**_SMALL, "z_to": "cross_attention"},
        "inputless": {**_SMALL, "word_dropout": 1.0, "tie_embeddings": False},
        "label-prefix": {**_SMALL, "label_to": "prefix"},
        "label-prefix-embedding": {**_SMALL, "label_to": "prefix", "z_to": "embedding"},
    }
    model_dim: int = Field(256, gt=0, le=MAX_WIDTH)
    layers: int = Field(4, gt=0, le=MAX_LAYERS)
    heads: int = Field(4, gt=0, le=MAX_WIDTH)
    feed_forward_dim: int | None = Field(None, gt=0, le=4 * MAX_WIDTH, description="four times model_dim when absent")
    z_to: Literal["prefix", "embedding", "cross_attention"] = Field("prefix", description="how z enters")
    z_tokens: int = Field(4, gt=0, le=MAX_PARTS, description="vectors made of z for a prefix or a memory")
    label_to: Literal["embedding", "prefix"] = Field(
        "embedding",
        description="how a label enters, where there are labels: added to every word, or before them",
    )
    word_dropout: float = Field(0.0, ge=0, le=1, description="share of input words hidden in training; 1 = inputless")
    dropout: float = Field(0.1, ge=0, lt=1)
    tie_embeddings: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> TransformerDecoderConfig:
        if self.model_dim % self.heads:
            raise ValueError(f"heads = {self.heads} must divide model_dim = {self.model_dim}")
        if self.tie_embeddings and self.word_dropout == 1:
            raise ValueError(
                "an inputless decoder (word_dropout = 1) has no embedding to tie; set tie_embeddings = false"
            )
        return self

    @property
    def hides_words(self) -> bool:
        return self.word_dropout > 0

    def build(
        self, *, vocab_size: int, latent_dim: int, num_labels: int = 0, max_tokens: int | None = None
    ) -> TransformerDecoder:
        return TransformerDecoder(self, vocab_size, latent_dim, num_labels, max_tokens or 512)


@dataclass(frozen=True)
class TransformerState:
    """The state of stepwise decoding.

    Attributes:
        caches: keys and values of the positions read so far, for each layer.
        memory: keys and values of z for each layer, with cross-attention; else None.
        added_NH: what is added to every embedding of a row.
        position: the number of tokens read.
    """

    caches: list[Cache | None]
    memory: list[Cache | None]
    added_NH: Tensor
    position: int


class TransformerDecoder(Decoder):
    """An autoregressive pre-norm transformer over words.

    z enters as `z_tokens` vectors before the sentence (``prefix``), as a vector added to every embedding
    (``embedding``), or as a memory of `z_tokens` vectors that every block attends to (``cross_attention``). A label's
    embedding is added to every word embedding (`label_to` = ``embedding``), or is one vector before the sentence
    (``prefix``), in front of those of z if there are any.

    Args:
        config: the settings.
        vocab_size: V.
        latent_dim: D; 0 for a language model.
        num_labels: C; 0 without labels.
        max_tokens: the longest sentence in tokens, EOS not counted.

    >>> import torch
    >>> config = TransformerDecoderConfig(model_dim=8, layers=1, heads=2)
    >>> decoder = config.build(vocab_size=10, latent_dim=2, max_tokens=5)
    >>> decoder.log_prob(torch.tensor([[1, 5, 6, 2]]), torch.zeros(7, 1, 2)).shape
    torch.Size([7, 1])
    """

    def __init__(
        self, config: TransformerDecoderConfig, vocab_size: int, latent_dim: int, num_labels: int, max_tokens: int
    ) -> None:
        super().__init__()
        dim = config.model_dim
        self.latent_dim, self.num_labels, self.max_tokens = latent_dim, num_labels, max_tokens + 1
        self.z_to = config.z_to if latent_dim > 0 else None
        self.z_tokens, self.word_dropout = config.z_tokens, config.word_dropout
        if self.inputless:
            # One learned vector is the input in place of every word; steps differ only by their position embedding.
            self.start = nn.Parameter(torch.randn(dim) * 0.02)
        else:
            self.embedding = nn.Embedding(vocab_size, dim, padding_idx=PAD_ID)
            nn.init.normal_(self.embedding.weight, std=0.02)
        self.position = nn.Embedding(max_tokens + 1, dim)
        nn.init.normal_(self.position.weight, std=0.02)
        self.label = nn.Embedding(num_labels, dim) if num_labels else None
        self.label_to = config.label_to if num_labels else None
        if self.label is not None and self.label_to == "prefix":
            nn.init.normal_(self.label.weight, std=0.02)
        if self.z_to is not None:
            self.z_projection = Linear(latent_dim, dim if self.z_to == "embedding" else config.z_tokens * dim)
        wide = config.feed_forward_dim or 4 * dim
        cross = self.z_to == "cross_attention"
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, config.heads, wide, config.dropout, cross) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)
        self.vocabulary = VocabularyProjection(
            dim, vocab_size, self.embedding.weight if config.tie_embeddings else None
        )

    def _embed(self, tokens_NT: Tensor, first_position: int) -> Tensor:
        words = self.start.expand(*tokens_NT.shape, -1) if self.inputless else self.embedding(tokens_NT)
        place = torch.arange(first_position, first_position + tokens_NT.shape[1], device=tokens_NT.device)
        return words + self.position(place)

    def _added(self, z_ND: Tensor, label_N: Tensor | None) -> Tensor:
        """What is added to every embedding of a row, [N, H]; zeros [N, 1] if nothing is."""
        added = z_ND.new_zeros(z_ND.shape[0], 1)
        if self.z_to == "embedding":
            added = added + self.z_projection(z_ND)
        if self.label is not None and self.label_to == "embedding":
            added = added + self.label(label_N)
        return added

    def _z_vectors(self, z_ND: Tensor) -> Tensor:
        return self.z_projection(z_ND).unflatten(-1, (self.z_tokens, -1))

    def _prefix(self, z_ND: Tensor, label_N: Tensor | None) -> Tensor | None:
        """The vectors before the sentence, [N, P, H]: of the label, then of z; None without any."""
        parts = []
        if self.label is not None and self.label_to == "prefix":
            parts.append(self.label(label_N).unsqueeze(1))
        if self.z_to == "prefix":
            parts.append(self._z_vectors(z_ND))
        return torch.cat(parts, 1) if parts else None

    def _memory(self, z_ND: Tensor) -> list[Cache | None]:
        if self.z_to != "cross_attention":
            return [None] * len(self.blocks)
        vectors = self._z_vectors(z_ND)
        return [block.memory_cache(vectors) for block in self.blocks]  # type: ignore[operator]

    def states(
        self, inputs_BT: Int[Tensor, "B T"], z_ND: Float[Tensor, "N D"], label_N: Int[Tensor, " N"] | None
    ) -> Float[Tensor, "N T H"]:
        samples = len(z_ND) // len(inputs_BT)
        x = self._embed(inputs_BT, 0).repeat(samples, 1, 1) + self._added(z_ND, label_N).unsqueeze(1)
        prefix_NPH = self._prefix(z_ND, label_N)
        if prefix_NPH is not None:
            x = torch.cat([prefix_NPH, x], 1)
        x = self.dropout(x)
        for block, memory in zip(self.blocks, self._memory(z_ND), strict=True):
            x, _ = block(x, causal=True, memory=memory)
        return self.norm(x[:, -inputs_BT.shape[1] :])

    def init_state(self, z_ND: Float[Tensor, "N D"], context: Context | None = None) -> TransformerState:
        label_N = label_rows(context, 1, z_ND.shape[0]) if self.label is not None else None
        caches: list[Cache | None] = [None] * len(self.blocks)
        x = self._prefix(z_ND, label_N)
        if x is not None:
            for index, block in enumerate(self.blocks):
                x, caches[index] = block(x, causal=True)
        return TransformerState(caches, self._memory(z_ND), self._added(z_ND, label_N), 0)

    def step(
        self, token_N: Int[Tensor, " N"], state: TransformerState
    ) -> tuple[Float[Tensor, "N V"], TransformerState]:
        x = self._embed(token_N.unsqueeze(1), state.position) + state.added_NH.unsqueeze(1)
        caches: list[Cache | None] = []
        for block, cache, memory in zip(self.blocks, state.caches, state.memory, strict=True):
            x, new = block(x, causal=True, cache=cache, memory=memory)
            caches.append(new)
        scores = self.vocabulary(self.norm(x.squeeze(1)))
        return scores, replace(state, caches=caches, position=state.position + 1)

    def select(self, state: TransformerState, index_M: Int[Tensor, " M"]) -> TransformerState:
        def rows(cache: Cache | None) -> Cache | None:
            return None if cache is None else (cache[0][index_M], cache[1][index_M])

        return TransformerState(
            [rows(cache) for cache in state.caches],
            [rows(cache) for cache in state.memory],
            state.added_NH[index_M],
            state.position,
        )
