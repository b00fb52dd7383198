"""The tokenizer proposed for a text: the first of a few candidates that leaves little unknown and gives text back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from textvae.config import parse
from textvae.text.inspect.statistics import TextStatistics
from textvae.text.tokenizers import SPECIAL_TOKENS, Tokenizer, TokenizerConfig
from textvae.types import UNK_ID

LONGEST_WORDS, LONGEST_STRING = 64, 128
"""Tokens of a text that are kept, at most: of texts with and without spaces."""
MAX_UNKNOWN, MAX_UNKNOWN_PIECES = 0.03, 0.001
"""Share of unknown tokens in held-out texts from which a tokenizer is not proposed: of words, and of pieces, where
the unknown are characters."""
MIN_GIVEN_BACK = 0.5
"""Share of held-out texts that must come back exactly."""

_HELD_OUT = 10  # one text in so many is held out
_LEARNED_FROM = 3_000_000  # characters from which a candidate learns, at most
_MEASURED_ON = 200_000  # characters of held-out texts, at most
_BYTES = 256
_SHORT = 48  # characters of a text that are as good as pieces: the median


@dataclass(frozen=True)
class ProposedTokenizer:
    """The tokenizer proposed for a text, and what it does with texts that it did not learn from.

    Attributes:
        settings: its table in a recipe.
        max_tokens: longest text in tokens that is kept whole.
        tokens_per_text: mean number of tokens of a text, after longer ones are cut to `max_tokens`; EOS not counted.
        unknown: share of unknown tokens in held-out texts.
        given_back: share of held-out texts without an unknown token that decoding gives back exactly.
        cut: share of texts that are longer than `max_tokens`.
        trained: as it learned from the sample; its vocabulary is often smaller than `vocab_size`.
    """

    settings: Mapping[str, object]
    max_tokens: int
    tokens_per_text: float
    unknown: float
    given_back: float
    cut: float
    trained: Tokenizer = field(repr=False, compare=False)

    @property
    def vocab_size(self) -> int:
        """The largest number of tokens."""
        return int(str(self.settings["vocab_size"]))

    def __str__(self) -> str:
        names = [str(self.settings[key]) for key in ("kind", "model_type", "split") if key in self.settings]
        return f"{' '.join(names)}, vocabulary {self.vocab_size:,}"

    @property
    def fits(self) -> bool:
        """Whether little is unknown and most texts come back."""
        most = MAX_UNKNOWN if self.settings["kind"] == "word" else MAX_UNKNOWN_PIECES
        return self.unknown <= most and self.given_back >= MIN_GIVEN_BACK


def propose_tokenizer(texts: TextStatistics) -> ProposedTokenizer:
    """The first candidate that fits; else the one with the smallest share of unknown tokens.

    Each candidate learns from nine tenths of the sample, and is measured on the rest.
    """
    tried: list[ProposedTokenizer] = []
    for settings in _candidates(texts):
        found = measured(settings, texts)
        if found.fits:
            return found
        tried.append(found)
    return min(tried, key=lambda found: (found.given_back < MIN_GIVEN_BACK, found.unknown))


def _candidates(texts: TextStatistics) -> Iterator[dict[str, object]]:
    """Tables of tokenizers, the one with the longest tokens first."""
    # Words that cover 98 % of the text, and where that leaves too much unknown, as many as are affordable.
    if texts.has_spaces:
        split = "whitespace" if texts.tokenized else "words"
        sizes = [min(20_000, max(200, _rounded(texts.vocabulary_at[coverage]))) for coverage in (0.98, 0.99)]
        for vocab_size in dict.fromkeys([*sizes, min(20_000, max(200, _rounded(texts.vocabulary)))]):
            yield {"kind": "word", "vocab_size": vocab_size, "split": split}
    alphabet = texts.alphabet + len(SPECIAL_TOKENS) + 1
    if not texts.has_spaces and texts.characters_median <= _SHORT:
        yield {"kind": "sentencepiece", "model_type": "char", "vocab_size": max(32, _rounded(alphabet))}
    # More pieces for more text; with bytes only where characters turn up that were never seen, because a model that has
    # learned little writes bytes that are no text.
    pieces = min(8000, max(400, texts.characters // 200))
    yield {"kind": "sentencepiece", "vocab_size": _rounded(alphabet + pieces), "byte_fallback": False}
    yield {"kind": "sentencepiece", "vocab_size": _rounded(alphabet + _BYTES + pieces)}


def measured(settings: Mapping[str, object], texts: TextStatistics) -> ProposedTokenizer:
    """A tokenizer with these settings, measured on every tenth text of a sample after learning from the others."""
    config: Any = parse(TokenizerConfig, dict(settings), "the proposed tokenizer")
    sample = texts.sample
    known = [text for number, text in enumerate(sample) if number % _HELD_OUT]
    held_out = _up_to(sample[::_HELD_OUT], _MEASURED_ON)
    tokenizer: Tokenizer = config.train(_up_to(known or sample, _LEARNED_FROM))
    rows = tokenizer.encode_batch(held_out)
    lengths = np.array([len(row) for row in rows])
    whole = [(text, row) for text, row in zip(held_out, rows, strict=True) if UNK_ID not in row]
    # A literal <unk>, as in the Penn Treebank, is part of the text.
    told = sum(text.count(SPECIAL_TOKENS[UNK_ID]) for text in held_out)
    unknown = max(0, sum(row.count(UNK_ID) for row in rows) - told)
    back = sum(tokenizer.decode(row) == tokenizer.prepare(text) for text, row in whole)
    longest = LONGEST_WORDS if texts.has_spaces else LONGEST_STRING
    max_tokens = min(longest, max(8, math.ceil(1.1 * float(np.quantile(lengths, 0.99)))))
    return ProposedTokenizer(
        settings=dict(settings),
        max_tokens=max_tokens,
        tokens_per_text=float(np.minimum(lengths, max_tokens).mean()),
        unknown=unknown / max(1, int(lengths.sum())),
        given_back=back / len(whole) if whole else 0.0,
        cut=float((lengths > max_tokens).mean()),
        trained=tokenizer,
    )


def _up_to(texts: Sequence[str], characters: int) -> list[str]:
    """Texts from all parts of a list, with at most so many characters (and at least one text)."""
    total = sum(map(len, texts))
    step = max(1, math.ceil(total / characters))
    return list(texts[::step])


def _rounded(size: int) -> int:
    """Round up to two significant digits: 3817 becomes 3900."""
    step = 10 ** max(0, len(str(size)) - 2)
    return math.ceil(size / step) * step
