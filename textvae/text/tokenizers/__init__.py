"""Tokenizers, chosen by `kind`."""

from __future__ import annotations

from textvae.text.tokenizers.base import SPECIAL_TOKENS, Tokenizer
from textvae.text.tokenizers.word import WordConfig, WordTokenizer

__all__ = ["SPECIAL_TOKENS", "Tokenizer", "WordConfig", "WordTokenizer"]
