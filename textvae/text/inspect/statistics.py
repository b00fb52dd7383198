"""What the texts of a file are like: lengths, words, characters, spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from textvae.text.inspect.sample import Spread
from textvae.text.normalize import normalize
from textvae.text.scripts import is_unspaced

QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)
COVERAGES = (0.9, 0.95, 0.98, 0.99)
SAMPLE = 50_000
"""Texts kept for measurements, at most."""

_LONGEST_WORD = 15
"""Characters for each space. In a text with more, what stands between two spaces is no word."""
_LONE = 0.8
"""Share of texts without a space inside from which spaces do not separate words: lists of names, molecules, verses."""
_LOOKED_AT = 1_000_000
"""Characters by which the script is judged."""


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
        characters: number of all characters.
        alphabet: number of different characters.
        vocabulary: number of different words.
        vocabulary_at: number of most frequent words that cover 0.9, 0.95, 0.98 and 0.99 of all words.
        has_spaces: whether spaces separate words. They do not in scripts such as Han or Thai, nor in texts of which
            nearly each is one word (names, molecules, proteins).
        tokenized: whether spaces already separate punctuation from words.
        lowercase: whether all text is in lower case.
        sample: different texts from all parts of the file, normalized; at most `SAMPLE`.
    """

    count: int
    distinct: int
    empty: int
    words_quantiles: dict[float, int]
    characters_median: int
    characters: int
    alphabet: int
    vocabulary: int
    vocabulary_at: dict[float, int]
    has_spaces: bool
    tokenized: bool
    lowercase: bool
    sample: tuple[str, ...] = field(repr=False)


def text_statistics(texts: Iterable[str]) -> TextStatistics | None:
    """Statistics of texts, in one pass; None where there is not one text that is not empty.

    >>> text_statistics(["CC(=O)O", "CCO"]).has_spaces, text_statistics(["the acid", "the alcohol"]).has_spaces
    (False, True)
    """
    words: Counter[str] = Counter()
    alphabet: set[str] = set()
    lengths: list[int] = []
    characters: list[int] = []
    different: set[int] = set()
    sample: Spread[str] = Spread(SAMPLE)
    empty = lowered = 0
    for text in map(normalize, texts):
        if not text:
            empty += 1
            continue
        cut = text.split(" ")
        words.update(cut)
        alphabet.update(text)
        lengths.append(len(cut))
        characters.append(len(text))
        lowered += text == text.lower()
        if (key := hash(text)) not in different:
            different.add(key)
            sample.add(text)
    if not lengths:
        return None
    has_spaces = _has_spaces(lengths, characters, sample.kept)
    counts = sorted(words.values(), reverse=True)
    covered = np.cumsum(counts) / sum(counts)
    return TextStatistics(
        count=len(lengths),
        distinct=len(different),
        empty=empty,
        words_quantiles=_quantiles(lengths if has_spaces else characters),
        characters_median=int(np.median(characters)),
        characters=sum(characters),
        alphabet=len(alphabet - {" "}),
        vocabulary=len(words),
        vocabulary_at={c: int(np.searchsorted(covered, c - 1e-12) + 1) for c in COVERAGES},
        has_spaces=has_spaces,
        tokenized=has_spaces and _is_tokenized(words),
        lowercase=lowered == len(lengths),
        sample=tuple(sample.kept),
    )


def _has_spaces(lengths: list[int], characters: list[int], sample: list[str]) -> bool:
    """Whether spaces separate words."""
    letters = Counter("".join(sample)[:_LOOKED_AT].replace(" ", ""))
    unspaced = sum(count for letter, count in letters.items() if is_unspaced(letter))
    if unspaced > letters.total() / 2 or sum(characters) / sum(lengths) >= _LONGEST_WORD:
        return False
    return sum(length == 1 for length in lengths) < _LONE * len(lengths)


def _quantiles(lengths: list[int]) -> dict[float, int]:
    return {q: int(np.quantile(lengths, q, method="higher")) for q in QUANTILES}


def _is_tokenized(words: Counter[str]) -> bool:
    """Whether most punctuation marks are words of their own, as in tokenized text; `<unk>` is proof of it."""
    alone = sum(words[mark] for mark in (".", ",", "!", "?"))
    stuck = sum(n for word, n in words.items() if len(word) > 1 and word[-1] in ".,!?")
    return alone > 4 * stuck or words["<unk>"] > 0
