"""Pre-norm transformer blocks with a key-value cache (Vaswani et al. 2017; Xiong et al. 2020)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from textvae.layers.matrix_product import Linear

Cache = tuple[Tensor, Tensor]
"""Keys and values of one layer, each [N, heads, time, features]."""


class Attention(nn.Module):
    """Multi-head attention over a memory, or over the queries themselves (self-attention)."""

    def __init__(self, model_dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = Linear(model_dim, model_dim)
        self.key_value = Linear(model_dim, 2 * model_dim)
        self.output = Linear(model_dim, model_dim)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keys_values(self, memory_NTH: Tensor) -> Cache:
        """Keys and values of a memory, for `forward`."""
        key, value = self.key_value(memory_NTH).chunk(2, -1)
        return self._split(key), self._split(value)

    def forward(self, x_NTH: Tensor, cache: Cache, causal: bool = False, mask: Tensor | None = None) -> Tensor:
        mixed = scaled_dot_product_attention(
            self._split(self.query(x_NTH)),
            cache[0],
            cache[1],
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal,
        )
        return self.output(mixed.transpose(1, 2).flatten(-2))


class TransformerBlock(nn.Module):
    """Self-attention, optionally cross-attention to a memory, and a feed-forward network, each after a layer norm.

    Args:
        model_dim: features.
        heads: attention heads; must divide `model_dim`.
        feed_forward_dim: units of the hidden layer of the feed-forward network.
        dropout: rate of the dropout on attention weights and on the output of each sub-layer.
        cross_attention: whether the block attends to a memory too.
    """

    def __init__(
        self, model_dim: int, heads: int, feed_forward_dim: int, dropout: float, cross_attention: bool = False
    ) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(model_dim)
        self.self_attention = Attention(model_dim, heads, dropout)
        if cross_attention:
            self.memory_norm = nn.LayerNorm(model_dim)
            self.memory_attention = Attention(model_dim, heads, dropout)
        self.feed_forward_norm = nn.LayerNorm(model_dim)
        self.feed_forward = nn.Sequential(
            Linear(model_dim, feed_forward_dim), nn.GELU(), Linear(feed_forward_dim, model_dim)
        )
        self.dropout = nn.Dropout(dropout)

    def memory_cache(self, memory_NTH: Float[Tensor, "N M H"]) -> Cache:
        """Keys and values of a memory for `forward`."""
        return self.memory_attention.keys_values(memory_NTH)

    def forward(
        self,
        x_NTH: Float[Tensor, "N T H"],
        causal: bool,
        mask: Bool[Tensor, "N 1 1 T"] | None = None,
        cache: Cache | None = None,
        memory: Cache | None = None,
    ) -> tuple[Float[Tensor, "N T H"], Cache]:
        """Args:
            x_NTH: inputs; with a cache, that of the new position only (T = 1).
            causal: whether a position attends only to itself and earlier ones.
            mask: True at positions that may be attended to.
            cache: keys and values of the earlier positions.
            memory: keys and values of the memory (`memory_cache`).

        Returns:
            the outputs, and the cache with the new positions appended.
        """
        normed = self.self_norm(x_NTH)
        new = self.self_attention.keys_values(normed)
        if cache is not None:
            new = (torch.cat([cache[0], new[0]], 2), torch.cat([cache[1], new[1]], 2))
        x = x_NTH + self.dropout(self.self_attention(normed, new, causal and cache is None, mask))
        if memory is not None:
            x = x + self.dropout(self.memory_attention(self.memory_norm(x), memory))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x))), new
