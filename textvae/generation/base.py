"""What every way of decoding shares: its settings, its result and the words it may not say."""

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
from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Context, DecoderState

DEFAULT_MAX_TOKENS = 50
"""Longest sentence, in words or pieces without EOS, of a decoder that knows no limit of its own."""


@runtime_checkable
class SteppingDecoder(Protocol):
    """The part of a decoder's contract that turning z into sentences needs.

    All rows of a state have read the same number of tokens. `max_tokens` is the longest sequence of
    predicted tokens, EOS included, or None.
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
        log_prob_N: the decoder's own log p of each sentence, nats, EOS included; whatever was forbidden or
            reshaped while choosing (temperature, `<unk>`) does not change it. Of an unfinished sentence it
            is log p of the words alone, that is of all sentences that begin so.
        finished_N: False where `max_tokens` words passed without EOS.
    """

    tokens: list[list[int]]
    log_prob_N: Tensor
    finished_N: Tensor


class Decoding(Component):
    """Settings that every way of decoding has.

    Attributes:
        max_tokens: longest sentence in words or pieces, EOS not counted; None means what the decoder was
            built for, or 50 where it has no limit.
        allow_unk: whether `<unk>` may be said. PAD and BOS never are.
    """

    max_tokens: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    allow_unk: bool = False

    def decode(
        self,
        decoder: SteppingDecoder,
        z_ND: Tensor,
        *,
        context: Context | None = None,
        generator: torch.Generator | None = None,
    ) -> Generated:
        """One sentence for each row of `z_ND` (of width 0 for a language model)."""
        raise NotImplementedError


def word_limit(decoder: SteppingDecoder, max_tokens: int | None) -> int:
    """The most words a sentence may have before EOS.

    Raises:
        ConfigError: more was asked for than the decoder can do.
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
    """Ids that no sentence may contain (EOS, which ends one, is not among them)."""
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
    """No gradients, and dropout off; the module's mode is restored afterwards.

    Args:
        module: a model or a decoder. A decoder that is no module of torch has no mode to change.
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
