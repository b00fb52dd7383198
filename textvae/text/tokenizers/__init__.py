"""Tokenizers, chosen by `kind`.

To add one: a file with a `Tokenizer` and its config, one line in each of the two lists below, and one in the list
of `tests/unit/text/test_tokenizers.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from textvae.errors import ModelError
from textvae.text.tokenizers.base import HEADER, SPECIAL_TOKENS, Tokenizer, read_header
from textvae.text.tokenizers.pieces import (
    SentencePieceConfig,
    SentencePieceTokenizer,
    UnigramConfig,
    UnigramTokenizer,
)
from textvae.text.tokenizers.subword import BPEConfig, BPETokenizer, ByteConfig, ByteTokenizer
from textvae.text.tokenizers.word import WordConfig, WordTokenizer

TokenizerConfig = Annotated[
    WordConfig | BPEConfig | ByteConfig | UnigramConfig | SentencePieceConfig, Field(discriminator="kind")
]

_KINDS: dict[str, type[Tokenizer]] = {
    tokenizer.kind: tokenizer
    for tokenizer in (WordTokenizer, BPETokenizer, ByteTokenizer, UnigramTokenizer, SentencePieceTokenizer)
}

FILES = tuple(dict.fromkeys([HEADER, *(name for kind in _KINDS.values() for name in kind.own_files)]))
"""The files of a tokenizer's folder, whatever its kind."""

__all__ = [
    "FILES",
    "SPECIAL_TOKENS",
    "BPEConfig",
    "BPETokenizer",
    "ByteConfig",
    "ByteTokenizer",
    "SentencePieceConfig",
    "SentencePieceTokenizer",
    "Tokenizer",
    "TokenizerConfig",
    "UnigramConfig",
    "UnigramTokenizer",
    "WordConfig",
    "WordTokenizer",
    "load_tokenizer",
]


def load_tokenizer(folder: Path | str) -> Tokenizer:
    """Read any tokenizer that `Tokenizer.save` wrote.

    Raises:
        ModelError: the folder holds no tokenizer, a truncated one or one of an unknown kind.
    """
    folder = Path(folder)
    kind = read_header(folder)["kind"]
    if kind not in _KINDS:
        raise ModelError(f"{folder} holds a tokenizer of kind {kind!r}; this textvae knows {', '.join(_KINDS)}.")
    return _KINDS[kind].load(folder)
