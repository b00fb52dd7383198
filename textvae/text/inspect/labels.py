"""Which values of a label column are labels: marks of a missing label, and classes that are too rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

MISSING = frozenset({"NA", "N/A", "n/a", "na", "#N/A", "<NA>", "NULL", "Null", "null", "None", "-", "--", "?"})
"""Values that mean no label where there are others beside them."""

LEAST = 6
"""Rows of a class that a classifier can be trained and tested on, at least."""


def missing_marks(counts: Counter[str], given: Iterable[str] = ()) -> list[str]:
    """The values that mean no label: those given, and the usual marks beside other values.

    >>> missing_marks(Counter({"pos": 9, "neg": 8, "NA": 7}))
    ['NA']
    """
    given = list(dict.fromkeys(given))
    usual = sorted(value for value in counts if value in MISSING and value not in given)
    return given + (usual if len(counts) > len(usual) else [])


def may_be_missing(counts: Counter[str]) -> int:
    """How often -1 occurs beside at least three whole numbers, none of them negative; 0 else.

    >>> may_be_missing(Counter({"0": 5, "1": 5, "2": 5, "-1": 4})), may_be_missing(Counter({"1": 5, "-1": 4}))
    (4, 0)
    """
    others = [value for value in counts if value != "-1"]
    whole = all(value.removesuffix(".0").isdecimal() for value in others)
    return counts["-1"] if len(others) >= 3 and whole else 0


def frequent_labels(counts: Counter[str]) -> list[str] | None:
    """The labels that are frequent enough for a classifier, where at least two are and others are not; else None.

    >>> frequent_labels(Counter({"pos": 9, "neg": 8, "mixed": 1})), frequent_labels(Counter({"pos": 9, "neg": 8}))
    (['neg', 'pos'], None)
    """
    frequent = sorted(value for value, count in counts.items() if count >= LEAST)
    return frequent if 2 <= len(frequent) < len(counts) else None
