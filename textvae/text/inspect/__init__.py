"""Looks at a user's file: its kind, its columns, its texts. `textvae new FILE` writes a recipe and a card from it."""

from __future__ import annotations

from textvae.text.inspect.file import DEFAULT_KIND, inspect_file
from textvae.text.inspect.report import FileReport, Wanted
from textvae.text.inspect.statistics import TextStatistics, text_statistics
from textvae.text.inspect.tokenizer import ProposedTokenizer, propose_tokenizer

__all__ = [
    "DEFAULT_KIND",
    "FileReport",
    "ProposedTokenizer",
    "TextStatistics",
    "Wanted",
    "inspect_file",
    "propose_tokenizer",
    "text_statistics",
]
