"""Tokenizers, chosen by `kind`.

To add one: a file with a `Tokenizer` and its settings, whose `trains` names that class, and the import of the settings
here. Recipes, saved tokenizers and the tests of all tokenizers read this registry.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from textvae.config import kinds_of, one_of
from textvae.errors import ModelError
from textvae.text.tokenizers.base import HEADER, SPECIAL_TOKENS, Tokenizer, TokenizerBase, read_header
from textvae.text.tokenizers.pieces import (
    SentencePieceConfig,
    SentencePieceTokenizer,
    UnigramConfig,
    UnigramTokenizer,
)
from textvae.text.tokenizers.subword import BPEConfig, BPETokenizer, ByteConfig, ByteTokenizer
from textvae.text.tokenizers.word import WordConfig, WordTokenizer

if TYPE_CHECKING:
    TokenizerConfig: TypeAlias = TokenizerBase
else:
    TokenizerConfig = one_of(TokenizerBase, globals())

TOKENIZER_KINDS: dict[str, type[TokenizerBase]] = kinds_of(TokenizerConfig, TokenizerBase)  # type: ignore[type-abstract]
"""The settings class of every kind of tokenizer, by kind."""

FILES = tuple(dict.fromkeys([HEADER, *chain(*(settings.trains.own_files for settings in TOKENIZER_KINDS.values()))]))
"""The names of all files that a tokenizer of any kind may write into its folder."""

__all__ = [
    "FILES",
    "SPECIAL_TOKENS",
    "TOKENIZER_KINDS",
    "BPEConfig",
    "BPETokenizer",
    "ByteConfig",
    "ByteTokenizer",
    "SentencePieceConfig",
    "SentencePieceTokenizer",
    "Tokenizer",
    "TokenizerBase",
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
    if kind not in TOKENIZER_KINDS:
        known = ", ".join(TOKENIZER_KINDS)
        raise ModelError(f"{folder} holds a tokenizer of kind {kind!r}; this textvae knows {known}.")
    return TOKENIZER_KINDS[kind].trains.load(folder)
