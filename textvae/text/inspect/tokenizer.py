"""The tokenizer proposed for a text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from textvae.text.inspect.statistics import TextStatistics

LONGEST = 64
"""Tokens of a text that are kept, at most."""


@dataclass(frozen=True)
class ProposedTokenizer:
    """The tokenizer proposed for a text.

    Attributes:
        settings: its table in a recipe.
        max_tokens: longest text in tokens that is kept whole.
        tokens_per_text: tokens of a typical text.
    """

    settings: Mapping[str, object]
    max_tokens: int
    tokens_per_text: float

    @property
    def vocab_size(self) -> int:
        """The largest number of tokens."""
        return int(str(self.settings["vocab_size"]))


def propose_tokenizer(texts: TextStatistics) -> ProposedTokenizer:
    """The tokenizer that suits a text, by its statistics."""
    # NLTK's tokenizer splits off punctuation and clitics, so a text has more tokens than words.
    stretch = 1.0 if texts.tokenized or not texts.has_spaces else 1.25
    settings: dict[str, object]
    if texts.has_spaces:
        vocab_size = min(20_000, max(200, _rounded(texts.vocabulary_at[0.98])))
        settings = {"kind": "word", "vocab_size": vocab_size, "split": "whitespace" if texts.tokenized else "nltk"}
    else:
        settings = {"kind": "sentencepiece", "vocab_size": 8000 if texts.count > 2000 else 2000}
    max_tokens = min(LONGEST, max(8, math.ceil(texts.words_quantiles[0.95] * stretch)))
    typical = max(texts.words_quantiles[0.5], 1) * (1.2 if stretch > 1 else 1.0)
    return ProposedTokenizer(settings, max_tokens, min(typical, max_tokens))


def _rounded(size: int) -> int:
    """Round up to two significant digits: 3817 becomes 3900."""
    step = 10 ** max(0, len(str(size)) - 2)
    return math.ceil(size / step) * step
