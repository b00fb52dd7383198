"""Checks of texts and labels that a user passes, in Python or on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from textvae.arguments import shown, whole_number
from textvae.errors import ConfigError, DataError
from textvae.parsing import bad_character

GivenOverlong = Literal["error", "truncate"]
"""What is done with a given text of more tokens than the model was trained for: refuse it, or read its beginning, as
training did. Nothing is cut unless the caller asks for it."""


def checked_texts(texts: object, unit: str = "sentence") -> list[str]:
    """The texts as a list of strings, in the order given.

    Args:
        texts: any iterable of strings: a list, an array, a column of a table, a generator (which is consumed).
        unit: the word for one text in the error message.

    Raises:
        DataError: a single string or bytes instead of a list, an empty list, an item that is not a string, or a string
            that cannot be written as UTF-8.

    >>> checked_texts(word for word in ("a", "b"))
    ['a', 'b']
    >>> checked_texts(["a", None])
    Traceback (most recent call last):
    textvae.errors.DataError: Sentence 2 is None; expected a string.
    """
    if isinstance(texts, str):
        raise DataError(f"Got one string where a list of {unit}s is expected; write [text].")
    if isinstance(texts, bytes | bytearray | Mapping) or not isinstance(texts, Iterable):
        raise DataError(f"Got {shown(texts)} where a list of {unit}s is expected; give strings, such as [text].")
    try:
        found = list(texts)
    except TypeError:  # such as an array of zero dimensions
        raise DataError(f"Got {shown(texts)} where a list of {unit}s is expected; give strings.") from None
    if not found:
        raise DataError(f"No {unit} was given; give at least one.")
    for number, text in enumerate(found, start=1):
        which = f"{unit.capitalize()} {number}" if len(found) > 1 else f"The {unit}"
        if not isinstance(text, str):
            raise DataError(f"{which} is {shown(text)}; expected a string.")
        if (problem := bad_character(text)) is not None:
            raise DataError(f"{which} ({shown(text, 40)}) holds {problem}; mend it, or leave it out.")
    # Convert subclasses of str, such as numpy.str_.
    return [str(text) for text in found]


def checked_overlong(overlong: object) -> GivenOverlong:
    """The treatment of texts that are too long.

    Raises:
        ConfigError: it is neither "error" nor "truncate".
    """
    if overlong == "error":
        return "error"
    if overlong == "truncate":
        return "truncate"
    raise ConfigError(f"overlong is {shown(overlong)}; expected 'error' or 'truncate'.")


def checked_labels(labels: object, count: int) -> list[str | None]:
    """The labels as a list of strings, one for each text, None for no label; whole numbers become strings.

    Args:
        labels: any iterable of strings, whole numbers and None. NaN and the missing values of pandas are None too.
        count: number of texts.

    Raises:
        DataError: not an iterable of such values, a string that cannot be written as UTF-8, or not `count` labels.

    >>> checked_labels(["pos", 1, None, float("nan")], 4)
    ['pos', '1', None, None]
    """
    if isinstance(labels, str | bytes | Mapping) or not isinstance(labels, Iterable):
        raise DataError(f"Got {shown(labels)} where a list of labels is expected; give one for each text.")
    found = list(labels)
    if len(found) != count:
        raise DataError(f"Got {len(found)} labels for {count} texts; give one for each, None for none.")
    made: list[str | None] = []
    for number, label in enumerate(found, start=1):
        label = None if is_missing(label) else label
        whole = whole_number(label)
        if label is not None and whole is None and not isinstance(label, str):
            raise DataError(f"Label {number} is {shown(label)}; expected a string, a whole number, or None for none.")
        text = None if label is None else str(label if whole is None else whole)
        if text is not None and (problem := bad_character(text)) is not None:
            raise DataError(f"Label {number} ({shown(text, 40)}) holds {problem}; mend it, or leave it out.")
        made.append(text)
    return made


def is_missing(value: object) -> bool:
    """Whether a value stands for a missing one: None, a NaN of any float type, or one of pandas' own.

    >>> [is_missing(value) for value in (None, float("nan"), "", 0)]
    [True, True, False, False]
    """
    if isinstance(value, str | bytes | int):
        return False
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)  # NaN alone differs from itself
    except Exception:  # a foreign type's comparison may do anything
        return False
