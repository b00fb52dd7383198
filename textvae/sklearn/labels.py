"""The y of a classifier: its classes, and the texts that have no label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from textvae.arguments import shown, whole_number
from textvae.parsing import bad_character
from textvae.sklearn.inputs import InputError, column_of
from textvae.text.given import is_missing
from textvae.types import NO_LABEL

_NO_CLASSES = frozenset({"nan", "NaN", "<NA>"})
"""Strings that numpy and pandas make of a missing value."""


@dataclass(frozen=True)
class Labels:
    """The labels of texts.

    Attributes:
        classes: the different labels, sorted as by ``numpy.unique``, [C].
        codes: the place of each text's label among the classes, -1 for none, int64 [N].
    """

    classes: np.ndarray
    codes: np.ndarray


def labels_of(y: object, count: int) -> Labels:
    """The classes of y, and the class of each text.

    A label is a string, a whole number (also as a float) or a truth value, all of one type. None, NaN, the missing
    values of pandas and the number -1 are no label; the string "-1" is one only where all classes are numbers in
    writing, since numpy makes it of a -1 among strings.

    Args:
        y: a list, an array or a Series of labels.
        count: number of texts, N.

    Raises:
        InputError: y is none of these, has not one entry for each text, mixes types, or has fewer than two classes.

    >>> found = labels_of(["b", None, "a", -1], 4)
    >>> found.classes.tolist(), found.codes.tolist()
    (['a', 'b'], [1, -1, 0, -1])
    """
    values = _values_of(y, count)
    labelled_N = np.array([not is_unlabelled(value) for value in values])
    found = [value for value in values if not is_unlabelled(value)]
    if not found:
        raise InputError("No text has a label: y is None, NaN or -1 throughout; give some texts of each class a label.")
    kinds: dict[str, object] = {}
    for number, value in enumerate(values, start=1):
        if labelled_N[number - 1]:
            kinds.setdefault(_kind(value, number), value)
    if len(kinds) > 1:
        told = " and ".join(f"{kind}s, such as {_shown(value)}" for kind, value in kinds.items())
        raise InputError(f"y mixes {told}; write all classes in one way.")
    classes, place_M = np.unique(np.array(found, dtype=_dtype_of(y, *kinds)), return_inverse=True)
    if len(classes) < 2:
        cure = "label texts of another one"
        if any(_is_minus_one(value) for value in values):
            cure = "-1 is no label, so where it is a class, name the classes otherwise"
        raise InputError(f"y has one class, {_shown(classes[0])}, and a classifier needs two; {cure}.")
    if "string" in kinds and "-1" in classes.tolist():
        words = [name for name in classes.tolist() if not name.removeprefix("-").isdecimal()]
        if words:
            raise InputError(
                f"y has the string '-1' beside {shown(words[0])}, which numpy makes of a -1 among strings; write None "
                "where a text has no label, or give an array of dtype object."
            )
    code_N = np.full(count, NO_LABEL, dtype=np.int64)
    code_N[labelled_N] = place_M.ravel()
    return Labels(classes, code_N)


def labelled_rows(y: object, count: int) -> tuple[list[int], list[Any]]:
    """The places of the texts that have a label, and their labels.

    Raises:
        InputError: y is no list of one entry for each text.

    >>> labelled_rows([3, -1, None, 4], 4)
    ([0, 3], [3, 4])
    """
    values = _values_of(y, count)
    rows = [row for row, value in enumerate(values) if not is_unlabelled(value)]
    return rows, [values[row] for row in rows]


def is_unlabelled(value: object) -> bool:
    """Whether an entry of y stands for "no label".

    >>> [is_unlabelled(value) for value in (None, float("nan"), -1, "-1", 0)]
    [True, True, True, False, False]
    """
    return is_missing(value) or _is_minus_one(value)


def name_of(label: object) -> str:
    """The name of a class as a string, by which the model knows it.

    >>> name_of(np.int64(3)), name_of("3"), name_of(np.True_)
    ('3', '3', 'True')
    """
    return str(_plain(label))


def _values_of(y: object, count: int) -> list[Any]:
    """The entries of y."""
    if y is None:
        raise InputError(
            "This classifier requires y to be passed, but the target y is None; give a label for each text, -1 or None "
            "where there is none."
        )
    if hasattr(y, "shape") and isinstance(y.shape, tuple) and len(y.shape) != 1:
        raise InputError(
            f"y has the shape {y.shape}, and labels are expected in one dimension, one for each text; give "
            f"{column_of(y, 'y')}."
        )
    if isinstance(y, str | bytes | Mapping) or not isinstance(y, Iterable):
        raise InputError(f"Got {shown(y)} where a list of labels is expected; give one for each text.")
    values = list(y)
    if len(values) != count:
        raise InputError(
            f"Found input variables with inconsistent numbers of samples: X has {count} texts, and y has "
            f"{len(values)} labels; give one for each text, -1 or None where there is none."
        )
    return values


def _dtype_of(y: object, kind: str) -> np.dtype[Any] | None:
    """The type in which the classes are kept: that of an array y; None for what numpy makes of the labels."""
    if not hasattr(y, "dtype"):
        return None
    # Series of pandas' own types are those of objects.
    found = y.dtype if isinstance(y.dtype, np.dtype) else np.dtype(object)
    return found if found.kind in "biufU" or (found.kind == "O" and kind == "string") else None


def _kind(value: object, number: int) -> str:
    """What a label is: a "string", a "number" or a "truth value".

    Raises:
        InputError: it is something else, or a string that cannot be a class.
    """
    plain = _plain(value)
    if isinstance(plain, str):
        if not plain.strip() or plain in _NO_CLASSES:
            raise InputError(
                f"Label {number} is {shown(plain)}, which is no class; write None where a text has no label."
            )
        if (problem := bad_character(plain)) is not None:
            raise InputError(f"Label {number} ({shown(plain, 40)}) holds {problem}; mend it, or leave it out.")
        return "string"
    if isinstance(plain, bool):
        return "truth value"
    if whole_number(plain) is not None or (isinstance(plain, float) and plain.is_integer()):
        return "number"
    raise InputError(
        f"Unknown label type: label {number} is {_shown(value)}; expected classes, which are strings, whole numbers or "
        "truth values."
    )


def _is_minus_one(value: object) -> bool:
    plain = _plain(value)
    return isinstance(plain, int | float) and plain == NO_LABEL


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _shown(value: object) -> str:
    return shown(_plain(value))
