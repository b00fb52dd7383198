"""Which column of a table holds the text, which the labels and which the split."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textvae.text.corpora import column_names as names
from textvae.text.corpora.base import Split
from textvae.text.inspect.profile import Profile

MOST_CLASSES = 50
"""Different values of a column without a usual name that is taken for labels, at most."""

_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "development": "valid",
    "test": "test",
    "testing": "test",
    "tst": "test",
}
_EVALUATION = ("eval", "evaluation")
_LIST_ITEM = re.compile(r"\.\d+$")
_NEVER_LABELS = names.SPLIT | (names.OTHER - {"source", "language", "lang", "country", "version"})
_NUMBERED = frozenset({"index", "name", "id", "idx", "num", "number"})
"""Parts of names that may follow that of a label, as in `label_id`."""


@dataclass(frozen=True)
class Ranked:
    """Columns that could have a role, the best one first."""

    columns: tuple[str | int, ...]

    @property
    def first(self) -> str | int | None:
        return self.columns[0] if self.columns else None

    @property
    def second(self) -> str | int | None:
        return self.columns[1] if len(self.columns) > 1 else None


def rank_texts(columns: Sequence[Profile]) -> Ranked:
    """Columns that could hold the text: those with the most words; where no column has words, the longest strings."""
    able = [column for column in columns if column.filled and column.numbers < 0.5]
    able = [column for column in able if not _is_class(column)] or able
    plain = [column for column in able if column.machine < 0.5]
    prose = [column for column in plain if column.words >= 2 and column.markup < 0.5]
    groups = (prose, [c for c in plain if c not in prose], [c for c in able if c not in plain])
    # Of two that are alike, such as two questions, the first one.
    found = [column for group in groups for column in sorted(group, key=lambda c: (-round(_text_score(c), 1), c.place))]
    return Ranked(tuple(column.column for column in found))


def _text_score(column: Profile) -> float:
    amount = column.words if column.words >= 2 else column.characters / 8
    score = math.log2(1 + amount * column.filled / max(1, column.rows))
    score += 0.5 * column.distinct - 2 * (column.distinct < 0.2 and column.filled >= 20) - column.markup
    name = str(column.column)
    whole = ((names.TEXT, 2.0), (names.SHORT_TEXT, 0.7), (names.OTHER, -1.5))
    parts = ((names.OTHER, -0.5), (names.TEXT, 1.0), (names.SHORT_TEXT, 0.3))
    for bonus in (bonus for known, bonus in whole if names.is_in(name, known)):
        return score + bonus
    for bonus in (bonus for known, bonus in parts if names.has_part(name, known)):
        return score + bonus
    return score


def rank_labels(columns: Sequence[Profile], text: str | int | None) -> Ranked:
    """Columns that could hold labels: by their names, then those with many filled cells and few values."""
    found = []
    for column in columns:
        tier = _label_tier(column)
        if column.column != text and tier is not None and _could_be_labels(column, tier):
            share = column.filled / max(1, column.rows)
            found.append((tier + 5 * (share < 0.1), -round(4 * share), len(column.counts), column.place, column.column))
    return Ranked(tuple(column for *_, column in sorted(found, key=lambda each: each[:4])))


def _label_tier(column: Profile) -> int | None:
    """How much the name speaks for labels: 0 the most; None for a column that never is one."""
    name = str(column.column)
    if isinstance(column.column, int):
        return 3
    parts = names.name_parts(name)
    if any(part in names.SPLIT for part in parts) or _LIST_ITEM.search(name):
        return None
    if names.is_in(name, names.LABEL):
        return 0
    if len(parts) > 5:
        return 3  # a question, in which any word may be
    numbered = any(part in _NUMBERED for part in parts)
    if any(part in _NEVER_LABELS - _NUMBERED for part in parts):
        return None
    if names.has_part(name, names.LABEL):
        return 2 if "id" in parts or "idx" in parts else 1
    if numbered:
        return None
    if len(parts) > 1 and parts[0] in ("is", "has"):
        return 1
    if names.has_part(name, names.RATING):
        return 2
    return 4 if names.has_part(name, names.TEXT | names.SHORT_TEXT) else 3


def _could_be_labels(column: Profile, tier: int) -> bool:
    counts = column.counts
    if not counts or max(map(len, counts)) > 60 or column.words > 4 or (column.fractions > 0.2 and len(counts) > 12):
        return False
    if tier >= 3 and (column.machine > 0.5 or column.fractions > 0 or column.filled < column.rows / 2):
        return False
    if split_names(column) is not None:
        return False
    # Many published files are sorted by label, so that the rows may all have the same one.
    least = 1 if tier <= 1 else 2
    if tier < 3:
        return least <= len(counts) <= max(2, column.filled / 2)
    most = 12 if column.numbers == 1 else MOST_CLASSES
    recurring = sum(count > 1 for count in counts.values())
    return least <= len(counts) <= min(most, max(2, column.filled / 4)) and 2 * recurring >= len(counts)


def _is_class(column: Profile) -> bool:
    """Whether the cells are a few values again and again, such as reasons."""
    return column.filled >= 40 and len(column.counts) <= min(MOST_CLASSES, column.filled / 10)


def rank_splits(columns: Sequence[Profile], text: str | int | None) -> Ranked:
    """Columns that say which split a row belongs to: by their values, those with such a name first."""
    found = [column for column in columns if column.column != text and split_names(column) is not None]
    found.sort(key=lambda column: not names.has_part(str(column.column), names.SPLIT))
    return Ranked(tuple(column.column for column in found))


def split_names(column: Profile) -> dict[Split, list[str]] | None:
    """The values of a column that mean each split; None where most cells have other values, or none means train."""
    found = names_of_splits(column.counts)
    known = sum(column.counts[value] for values in found.values() for value in values)
    return found if "train" in found and len(column.counts) > 1 and 2 * known >= max(1, column.rows) else None


def names_of_splits(values: Iterable[str]) -> dict[Split, list[str]]:
    """The split that each value means, where it means one; `eval` is the test split if nothing else is.

    >>> names_of_splits(["Train", "dev", "eval", "other"])
    {'train': ['Train'], 'valid': ['dev'], 'test': ['eval']}
    """
    values = sorted(set(values))
    meant = {value: _SPLITS.get(_plain(value)) for value in values}
    other: Split = "valid" if "test" in meant.values() else "test"
    meant |= {value: other for value in values if _plain(value) in _EVALUATION}
    order: tuple[Split, ...] = ("train", "valid", "test")
    return {split: found for split in order if (found := [value for value in values if meant[value] == split])}


def _plain(value: str) -> str:
    return value.strip().lower().removesuffix("_set").removesuffix(" set").removesuffix("set")
