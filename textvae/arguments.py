"""Numbers that callers give: seeds, counts and times. One check of each, for the command, recipes and Python alike."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex

from textvae.errors import ConfigError

LARGEST = 2**63 - 1
"""Of any whole number: with more, neither TOML nor torch nor numpy counts."""
MAX_SEED = LARGEST
SEED_EXPECTED = "expected a whole number from 0 to 2**63 - 1"
MAX_MINUTES = 525_600.0
"""A year."""


def whole_number(value: object) -> int | None:
    """A whole number as Python's int; None for anything else, True and False among them.

    >>> import numpy as np
    >>> whole_number(3), whole_number(np.int64(3)), whole_number(3.0), whole_number(True)
    (3, 3, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def shown(value: object, most: int = 60) -> str:
    """A value as an error shows it, however long it is.

    >>> shown("8"), shown("a" * 100, most=10)
    ("'8'", "'aaaaaa...")
    """
    try:
        text = repr(value[: most + 1] if isinstance(value, str | bytes) else value)
    except Exception:  # what cannot be shown is still to be named
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def checked_seed(seed: object, name: str = "seed") -> int:
    """A seed, as every function that draws takes it.

    Raises:
        ConfigError: it is no whole number from 0 to 2**63 - 1.

    >>> checked_seed(7)
    7
    >>> checked_seed(-1)
    Traceback (most recent call last):
    textvae.errors.ConfigError: seed is -1; expected a whole number from 0 to 2**63 - 1.
    """
    number = whole_number(seed)
    if number is None or not 0 <= number <= MAX_SEED:
        raise ConfigError(f"{name} is {shown(seed)}; {SEED_EXPECTED}.")
    return number


def checked_count(value: object, name: str, least: int, most: int) -> int:
    """A number of things that are made, kept or drawn.

    Raises:
        ConfigError: it is no whole number from `least` to `most`.

    >>> checked_count(10**9, "steps", 2, 10_000)
    Traceback (most recent call last):
    textvae.errors.ConfigError: steps is 1000000000; expected a whole number from 2 to 10000.
    """
    number = whole_number(value)
    if number is None or not least <= number <= most:
        raise ConfigError(f"{name} is {shown(value)}; expected a whole number from {least} to {most}.")
    return number


def checked_minutes(value: object, name: str = "minutes") -> float:
    """How long training may take.

    Raises:
        ConfigError: it is no number above 0 and of at most a year.

    >>> checked_minutes(float("inf"))
    Traceback (most recent call last):
    textvae.errors.ConfigError: minutes is inf; give the minutes that training may take, above 0 and at most 525600.
    """
    whole = whole_number(value)
    number = value if isinstance(value, float) else math.nan if whole is None else float(whole)
    if not 0 < number <= MAX_MINUTES:
        raise ConfigError(
            f"{name} is {shown(value)}; give the minutes that training may take, above 0 and at most {MAX_MINUTES:.0f}."
        )
    return number
