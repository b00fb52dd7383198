"""Which split each text of a corpus is in, where `split_fractions` divides one set of texts.

A pass over the corpus collects a hash of 8 bytes of each text. Within each class the texts are ordered by their hash:
the first ones are training texts, the next ones validation, the last ones test. So the division depends on the texts,
their labels and the seed, never on the order of the rows, and a text that is added moves few others.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import NamedTuple

import numpy as np

from textvae.text.normalize import normalize

MAX_TEXTS = 4_000_000
"""Texts, or sentences of texts, up to which they are counted. In a larger corpus the hash alone decides: every share
is then right by the law of large numbers, but a rare class may be absent from a split."""
MIN_CUT_TEXTS = 100
"""Texts that are cut into sentences stay whole in one split from this number on; the sentences of fewer texts are
divided one by one, as too few texts would miss the fractions."""
_END = 2**64
_ROUNDING = 1e-9


class CutText(NamedTuple):
    """A text of the source, with the sentences it is cut into; the text itself where it is not cut."""

    text: str
    label: str | None
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Division:
    """Says which split a text is in.

    Attributes:
        seed: of the hashes.
        splits: number of splits.
        cuts: for each label the hashes at which the next split begins, ascending.
        plain: those of a label that no counted text has.
        several: hashes of the texts that occur with several labels, ascending; a class of their own.
        several_cuts: the cuts of that class.
        whole: whether a text that is cut into sentences stays in one split.
        moved: the split of each sentence that texts of several splits have.
        different: number of different texts (or sentences, where they are divided one by one); None for too many to
            count.
    """

    seed: int
    splits: int
    cuts: Mapping[str | None, tuple[int, ...]]
    plain: tuple[int, ...]
    several: Sequence[int] = ()
    several_cuts: tuple[int, ...] = ()
    whole: bool = False
    moved: Mapping[int, int] = field(default_factory=dict)
    different: int | None = None

    def places(self, text: CutText) -> list[int]:
        """The number of the split of each part of a text. A text without a word is in the first."""
        if not self.whole:
            return [self._place(key_of(part, self.seed), text.label) for part in text.parts]
        own = self._place(key_of(text.text, self.seed), text.label)
        return [self.moved.get(key_of(part, self.seed), own) if self.moved else own for part in text.parts]

    def _place(self, key: int, label: str | None) -> int:
        if not key:
            return 0
        found = bisect_left(self.several, key)
        if found < len(self.several) and self.several[found] == key:
            return bisect_right(self.several_cuts, key)
        return bisect_right(self.cuts.get(label, self.plain), key)


def key_of(text: str, seed: int) -> int:
    """The hash of a normalized text, a number from 1 to 2**64 - 1; 0 for a text without a word."""
    normal = normalize(text)
    if not normal:
        return 0
    digest = hashlib.blake2b(f"{seed}\0{normal}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


def divide(texts: Iterable[CutText], fractions: Sequence[float], seed: int) -> Division:
    """Divide texts into splits: by class, and equal texts together.

    - Equal texts (normalized) are in one split, whatever their labels.
    - Each class (a label, no label, or several labels) has its share of each split, to within one text; the errors of
      one class are made up by the next ones. A class of one text is in the first split, training, unless most texts
      are in such classes: these are then divided like one class.
    - No split is empty where there are as many different texts as splits.
    - Texts that are cut into sentences stay whole from `MIN_CUT_TEXTS` texts on. A sentence that texts of several
      splits have is in the first of these splits, training before the others. Where so many are that a split would
      have less than half of its share, the sentences are divided one by one.

    Args:
        texts: read once; those with no parts are not counted.
        fractions: the share of each split, which sum to 1.
        seed: of the hashes.

    >>> texts = [CutText(f"text {i}", "ab"[i % 2], (f"text {i}",)) for i in range(100)]
    >>> division = divide(texts, [0.8, 0.1, 0.1], seed=0)
    >>> [sum(place == split for text in texts for place in division.places(text)) for split in range(3)]
    [80, 10, 10]
    """
    plain = tuple(int(_END * share) for share in np.cumsum(fractions)[:-1])
    labels: dict[str | None, int] = {}
    keys, codes = array("Q"), array("q")
    part_keys, owners = array("Q"), array("q")
    cut = False
    for text in texts:
        if not text.parts:
            continue
        cut = cut or text.parts != (text.text,)
        code = labels.setdefault(text.label, len(labels))
        own = key_of(text.text, seed)
        for part in text.parts:
            key = own if part is text.text else key_of(part, seed)
            if key:
                part_keys.append(key)
                owners.append(len(keys))
        keys.append(own)
        codes.append(code)
        if len(part_keys) > MAX_TEXTS:
            return Division(seed, len(fractions), {}, plain)
    if not part_keys:
        return Division(seed, len(fractions), {}, plain, different=0)
    code_N, owner_M = np.asarray(codes, dtype=np.int64), np.asarray(owners, dtype=np.int64)
    key_N, part_M = np.asarray(keys, dtype=np.uint64), np.asarray(part_keys, dtype=np.uint64)
    if cut:
        classes = _Classes(key_N, code_N, labels, fractions)
        if len(classes.keys) >= MIN_CUT_TEXTS:
            found = _moved(part_M, classes.place_of(key_N)[owner_M], fractions)
            if found is not None:
                return classes.division(seed, plain, whole=True, moved=found)
    return _Classes(part_M, code_N[owner_M], labels, fractions).division(seed, plain)


def _moved(part_M: np.ndarray, place_M: np.ndarray, fractions: Sequence[float]) -> dict[int, int] | None:
    """The split of each sentence that is in texts of several splits; None where too little is left for a split."""
    order = np.lexsort((place_M, part_M))
    parts, places = part_M[order], place_M[order]
    first = np.flatnonzero(np.r_[True, parts[1:] != parts[:-1]])
    last = np.r_[first[1:], len(parts)] - 1
    have = np.bincount(places[first], minlength=len(fractions))
    if (have < np.maximum(1, np.asarray(fractions) * len(first) / 2)).any():
        return None
    mixed = first[places[first] != places[last]]
    return dict(zip(parts[mixed].tolist(), places[mixed].tolist(), strict=True))


class _Classes:
    """Different texts by class, and the cuts between the splits of each class.

    Args:
        key_N: hashes of the texts.
        code_N: numbers of their labels.
        labels: the number of each label.
        fractions: the share of each split.
    """

    def __init__(
        self, key_N: np.ndarray, code_N: np.ndarray, labels: Mapping[str | None, int], fractions: Sequence[float]
    ) -> None:
        order = np.lexsort((code_N, key_N))
        keys, codes = key_N[order], code_N[order]
        first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        last = np.r_[first[1:], len(keys)] - 1
        self.keys, self.labels, self.fractions = keys[first], labels, fractions
        self._several, self._single = len(labels), len(labels) + 1
        self.class_of = np.where(codes[first] == codes[last], codes[first], self._several)
        sizes = np.bincount(self.class_of, minlength=len(labels) + 2)
        lone = np.flatnonzero(sizes[: len(labels)] == 1)
        self._pooled = len(lone) * 2 > len(self.keys)
        if self._pooled:
            self.class_of = np.where(np.isin(self.class_of, lone), self._single, self.class_of)
            sizes[lone], sizes[self._single] = 0, len(lone)
        self.lone = frozenset(lone.tolist())
        names = {code: (label is not None, label or "") for label, code in labels.items()}
        by_size = sorted(np.flatnonzero(sizes).tolist(), key=lambda c: (-sizes[c], names.get(c, (False, "")), c))
        rows = allocate([int(sizes[c]) for c in by_size], fractions)
        # Stable, so that the keys of a class stay ascending.
        grouped = self.keys[np.argsort(self.class_of, kind="stable")]
        starts = np.cumsum(np.r_[0, sizes])
        self.cuts: dict[int, tuple[int, ...]] = {}
        for number, row in zip(by_size, rows, strict=True):
            members = grouped[starts[number] : starts[number + 1]]
            ends = np.cumsum(row)[:-1].tolist()
            self.cuts[number] = tuple(int(members[end]) if end < len(members) else _END for end in ends)

    def place_of(self, key_N: np.ndarray) -> np.ndarray:
        """The number of the split of each text, by its hash."""
        places = np.zeros(len(self.keys), dtype=np.int64)
        for number, cuts in self.cuts.items():
            members = np.flatnonzero(self.class_of == number)
            # Whole numbers of 64 bits without a sign cannot hold the end, 2**64, which no hash reaches.
            inside = np.asarray([cut for cut in cuts if cut < _END], dtype=np.uint64)
            places[members] = np.searchsorted(inside, self.keys[members], side="right")
        return places[np.searchsorted(self.keys, key_N)]

    def division(
        self, seed: int, plain: tuple[int, ...], whole: bool = False, moved: Mapping[int, int] | None = None
    ) -> Division:
        cuts = {}
        for label, code in self.labels.items():
            number = self._single if self._pooled and code in self.lone else code
            if number in self.cuts:
                cuts[label] = self.cuts[number]
        return Division(
            seed=seed,
            splits=len(self.fractions),
            cuts=cuts,
            plain=plain,
            several=array("Q", self.keys[self.class_of == self._several].tolist()),
            several_cuts=self.cuts.get(self._several, plain),
            whole=whole,
            moved=moved or {},
            different=len(self.keys),
        )


def allocate(sizes: Sequence[int], fractions: Sequence[float]) -> list[list[int]]:
    """How many texts of each class are in each split.

    Each number is its exact share rounded down or up. What is left of one class goes to the split that is furthest
    behind over all classes so far. Every class has a text in the first split, and no split is empty, as far as there
    are texts.

    Args:
        sizes: different texts of each class, none zero.
        fractions: the share of each split.

    >>> allocate([30, 30, 1], [0.8, 0.1, 0.1])
    [[24, 3, 3], [24, 3, 3], [1, 0, 0]]
    >>> allocate([5, 5], [0.9, 0.05, 0.05])
    [[4, 0, 1], [4, 1, 0]]
    """
    count = len(fractions)
    behind = [0.0] * count
    rows: list[list[int]] = []
    for size in sizes:
        shares = [size * fraction for fraction in fractions]
        row = [floor(share + _ROUNDING) for share in shares]
        behind = [b + share - n for b, share, n in zip(behind, shares, row, strict=True)]
        open_splits = [j for j in range(count) if shares[j] - row[j] > _ROUNDING]
        open_splits.sort(key=lambda j: (j > 0 or row[0] > 0, -behind[j] + _ROUNDING * j))
        for j in open_splits[: size - sum(row)]:
            row[j] += 1
            behind[j] -= 1
        rows.append(row)
    for empty in range(count):
        if sum(row[empty] for row in rows):
            continue
        totals = [sum(row[j] for row in rows) for j in range(count)]
        donor = max(range(count), key=totals.__getitem__)
        if totals[donor] > 1:
            largest = max(rows, key=lambda row: row[donor])
            largest[donor] -= 1
            largest[empty] += 1
    return rows
