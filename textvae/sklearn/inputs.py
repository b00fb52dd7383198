"""What callers give to an estimator, checked: texts, a seed, a path, settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.utils import check_random_state

from textvae.arguments import checked_seed, shown, whole_number
from textvae.disk import at_home
from textvae.errors import ConfigError, DataError
from textvae.text.given import checked_texts, is_missing


class InputError(DataError, ValueError):
    """Texts, labels or codes cannot be used as they are. It is the ValueError that scikit-learn expects of an
    estimator."""


@contextmanager
def value_errors() -> Iterator[None]:
    """Errors in texts, labels and codes become an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except DataError as error:
        raise InputError(str(error)) from None


def texts_of(X: object) -> list[str]:
    """The texts of X as a list.

    Raises:
        InputError: X is no list of texts: it is one string, a table or another array of two dimensions, or empty; or
            something in it is missing or is no string.

    >>> texts_of(("one text", "another"))
    ['one text', 'another']
    """
    if hasattr(X, "shape") and isinstance(X.shape, tuple) and len(X.shape) != 1:
        raise InputError(
            f"X has the shape {X.shape}, and texts are expected in one dimension, one a row; give the column of the "
            f"texts itself, such as {column_of(X, 'X')} (in a ColumnTransformer, name the column by a string, not by "
            "a list)."
        )
    with value_errors():
        if isinstance(X, Iterable) and not isinstance(X, str | bytes | Mapping):
            X = list(X)
            for number, text in enumerate(X, start=1):
                if is_missing(text):
                    raise DataError(f"Text {number} is missing ({shown(text)}); fill it with '', or leave its row out.")
        return checked_texts(X, "text")


def column_of(table: object, name: str) -> str:
    """How the first column of a table or an array is written in Python."""
    if hasattr(table, "columns") and len(table.columns):
        return f"{name}[{next(iter(table.columns))!r}]"
    return f"{name}[:, 0]"


def seed_of(random_state: object) -> int:
    """The seed that a `random_state` means; one is drawn from a RandomState, or for None.

    Raises:
        ConfigError: it is a whole number that is no seed.

    >>> seed_of(7)
    7
    """
    if whole_number(random_state) is not None:
        return checked_seed(random_state, "random_state")
    return int(check_random_state(random_state).randint(2**31 - 1))


def path_of(value: object, name: str) -> Path:
    """A path, ``~`` expanded.

    Raises:
        ConfigError: the parameter `name` is neither a string nor a path.
    """
    if not isinstance(value, str | Path):
        raise ConfigError(f"{name} is {shown(value)}; expected a path.")
    return at_home(value)


def settings_of(value: object) -> dict[str, Any]:
    """The parameter `settings` as a dict; empty for None.

    Raises:
        ConfigError: it is no mapping of names.

    >>> settings_of(None), settings_of({"train.epochs": 5})
    ({}, {'train.epochs': 5})
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f'settings is {shown(value)}; expected a dict such as {{"train.epochs": 5}}.')
    return dict(value)
