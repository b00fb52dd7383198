"""What the texts of a file are like: lengths, words, characters, spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from textvae.text.normalize import normalize

QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)
COVERAGES = (0.9, 0.95, 0.98, 0.99)
SAMPLE = 20_000
"""Texts kept for measurements, at most."""


@dataclass(frozen=True)
class TextStatistics:
    """Statistics of texts; empty ones count only in `empty`.

    Attributes:
        count: number of texts.
        distinct: number of different texts among them.
        empty: number of empty texts.
        words_quantiles: quantiles of the number of words in a text, at 0.5, 0.9, 0.95, 0.99 and 1 (of the number of
            characters if there are no spaces).
        characters_median: median number of characters in a text.
        vocabulary: number of different words.
        vocabulary_at: number of most frequent words that cover 0.9, 0.95, 0.98 and 0.99 of all words.
        has_spaces: whether spaces separate words.
        tokenized: whether spaces already separate punctuation from words.
        lowercase: whether all text is in lower case.
        sample: the first texts, normalized, without empty ones; at most `SAMPLE`.
    """

    count: int
    distinct: int
    empty: int
    words_quantiles: dict[float, int]
    characters_median: int
    vocabulary: int
    vocabulary_at: dict[float, int]
    has_spaces: bool
    tokenized: bool
    lowercase: bool
    sample: tuple[str, ...]


def text_statistics(texts: Iterator[str]) -> TextStatistics | None:
    """Statistics of texts, in one pass; None where there is not one text that is not empty."""
    words: Counter[str] = Counter()
    lengths: list[int] = []
    characters: list[int] = []
    different: set[int] = set()
    sample: list[str] = []
    empty = lowered = 0
    for text in map(normalize, texts):
        if not text:
            empty += 1
            continue
        different.add(hash(text))
        cut = text.split(" ")
        words.update(cut)
        lengths.append(len(cut))
        characters.append(len(text))
        lowered += text == text.lower()
        if len(sample) < SAMPLE:
            sample.append(text)
    if not lengths:
        return None
    # In a language without spaces, the "words" between spaces are whole sentences.
    has_spaces = sum(characters) / sum(lengths) < 15
    counts = sorted(words.values(), reverse=True)
    covered = np.cumsum(counts) / sum(counts)
    return TextStatistics(
        count=len(lengths),
        distinct=len(different),
        empty=empty,
        words_quantiles=_quantiles(lengths if has_spaces else characters),
        characters_median=int(np.median(characters)),
        vocabulary=len(words),
        vocabulary_at={c: int(np.searchsorted(covered, c - 1e-12) + 1) for c in COVERAGES},
        has_spaces=has_spaces,
        tokenized=has_spaces and _is_tokenized(words),
        lowercase=lowered == len(lengths),
        sample=tuple(sample),
    )


def _quantiles(lengths: list[int]) -> dict[float, int]:
    return {q: int(np.quantile(lengths, q, method="higher")) for q in QUANTILES}


def _is_tokenized(words: Counter[str]) -> bool:
    """Whether most punctuation marks are words of their own, as in tokenized text; `<unk>` is proof of it."""
    alone = sum(words[mark] for mark in (".", ",", "!", "?"))
    stuck = sum(n for word, n in words.items() if len(word) > 1 and word[-1] in ".,!?")
    return alone > 4 * stuck or (alone + stuck == 0 and words["<unk>"] > 0) or words["<unk>"] > 0
