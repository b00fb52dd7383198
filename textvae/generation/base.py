"""What every way of decoding shares: settings, result, length limit and forbidden tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_TOKENS, Component
from textvae.errors import ConfigError
from textvae.generation.randomness import WordNoise
from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Context, DecoderState

DEFAULT_MAX_TOKENS = 50
"""Longest sentence, in tokens without EOS, for a decoder that has no limit (`max_tokens` is None)."""


@runtime_checkable
class SteppingDecoder(Protocol):
    """The methods of a decoder that generation needs.

    All rows of a state have read the same number of tokens. `max_tokens` is the longest sequence of
    predicted tokens, EOS included, or None for no limit.
    """

    @property
    def max_tokens(self) -> int | None: ...

    def init_state(self, z_ND: Tensor, context: Context | None = None) -> DecoderState: ...

    def step(self, token_N: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]: ...

    def select(self, state: DecoderState, index_M: Tensor) -> DecoderState: ...


@dataclass(frozen=True)
class Generated:
    """Sentences made from latent vectors.

    Attributes:
        tokens: ids of each sentence, without BOS and EOS.
        log_prob_N: log p(x|z) of each sentence under the decoder, nats, EOS included. Forbidden tokens and
            temperature change which tokens are chosen, not this number. For an unfinished sentence it is the
            log-probability of this prefix.
        finished_N: False where the limit `max_tokens` was reached without EOS.
    """

    tokens: list[list[int]]
    log_prob_N: Tensor
    finished_N: Tensor


class Decoding(Component):
    """Settings that every way of decoding has.

    Attributes:
        max_tokens: longest sentence in tokens, EOS not counted. None: the longest that the decoder was built
            for, or 50 where it has no limit.
        allow_unk: whether `<unk>` may be generated. PAD and BOS never are.
    """

    max_tokens: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    allow_unk: bool = False

    def decode(
        self,
        decoder: SteppingDecoder,
        z_ND: Tensor,
        *,
        context: Context | None = None,
        generator: WordNoise | None = None,
    ) -> Generated:
        """One sentence for each row of `z_ND` (of width 0 for a language model)."""
        raise NotImplementedError


def word_limit(decoder: SteppingDecoder, max_tokens: int | None) -> int:
    """The most tokens that a sentence may have before EOS.

    Raises:
        ConfigError: `max_tokens` is above the longest sentence that the decoder was built for.
    """
    longest = decoder.max_tokens
    if max_tokens is None:
        return DEFAULT_MAX_TOKENS if longest is None else longest - 1
    if longest is not None and max_tokens > longest - 1:
        raise ConfigError(
            f"max_tokens is {max_tokens}, but this model was built for sentences of at most {longest - 1} tokens; "
            "ask for fewer, or train with a larger max_tokens."
        )
    return max_tokens


def forbidden_ids(allow_unk: bool) -> list[int]:
    """Ids that are never generated. EOS, which ends a sentence, is not among them."""
    return [PAD_ID, BOS_ID] if allow_unk else [PAD_ID, BOS_ID, UNK_ID]


def first_tokens(rows: int, device: torch.device) -> Tensor:
    """BOS for every row, int64 [rows]."""
    return torch.full((rows,), BOS_ID, dtype=torch.int64, device=device)


def cut_at_end(tokens_NT: Tensor) -> list[list[int]]:
    """The ids of each row before its first EOS."""
    rows = tokens_NT.tolist()
    return [row[: row.index(EOS_ID)] if EOS_ID in row else row for row in rows]


@contextmanager
def inference(module: object) -> Iterator[None]:
    """Gradients and dropout are off inside; the module's training mode is restored afterwards.

    Args:
        module: a model or a decoder. One that is not an `nn.Module` has no mode to change.
    """
    trained = module if isinstance(module, nn.Module) and module.training else None
    if trained is not None:
        trained.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if trained is not None:
            trained.train()
