"""Checks of numbers that callers pass: seeds, counts and times. The command, recipes and Python share them."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex

from textvae.errors import ConfigError

LARGEST = 2**63 - 1
"""The largest whole number accepted anywhere: TOML, torch and numpy use signed 64-bit integers."""
MAX_SEED = LARGEST
SEED_EXPECTED = "expected a whole number from 0 to 2**63 - 1"
MAX_MINUTES = 525_600.0
"""One year."""


def whole_number(value: object) -> int | None:
    """Convert any integer type to Python's int; return None for everything else, including True and False.

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
    """The `repr` of a value on one line, cut to `most` characters, for an error message.

    >>> shown("8"), shown("a" * 100, most=10)
    ("'8'", "'aaaaaa...")
    """
    try:
        text = repr(value[: most + 1] if isinstance(value, str | bytes) else value)
    except Exception:  # a `repr` of foreign code may raise anything; the message still needs some text
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def checked_seed(seed: object, name: str = "seed") -> int:
    """The seed as an int.

    Args:
        seed: the value the caller passed.
        name: the argument's name in the error message.

    Raises:
        ConfigError: the seed is not a whole number from 0 to 2**63 - 1.

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
    """A count (of steps, samples, sentences) as an int.

    Args:
        value: the value the caller passed.
        name: the argument's name in the error message.
        least: the smallest count allowed.
        most: the largest count allowed.

    Raises:
        ConfigError: the value is not a whole number from `least` to `most`.

    >>> checked_count(10**9, "steps", 2, 10_000)
    Traceback (most recent call last):
    textvae.errors.ConfigError: steps is 1000000000; expected a whole number from 2 to 10000.
    """
    number = whole_number(value)
    if number is None or not least <= number <= most:
        raise ConfigError(f"{name} is {shown(value)}; expected a whole number from {least} to {most}.")
    return number


def checked_share(value: object, name: str) -> float:
    """A share or a probability as a float.

    Raises:
        ConfigError: the value is not a number from 0 to 1.

    >>> checked_share(1, "confidence")
    1.0
    """
    whole = whole_number(value)
    number = value if isinstance(value, float) else math.nan if whole is None else float(whole)
    if not 0 <= number <= 1:
        raise ConfigError(f"{name} is {shown(value)}; expected a number from 0 to 1.")
    return number


def checked_minutes(value: object, name: str = "minutes") -> float:
    """A limit of the training time, in minutes, as a float.

    Raises:
        ConfigError: the value is not a number above 0 and at most `MAX_MINUTES`.

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
