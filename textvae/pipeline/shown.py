"""Number, choice and length of the sentences that are shown as examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LINE = 160
"""Most characters of a sentence on a line of the terminal."""

SHOWN = 12
"""Most sentences in a list of the report."""


def spread_out(items: Sequence[T], count: int = SHOWN) -> list[T]:
    """At most `count` of some items, evenly spread over them.

    >>> spread_out("abcdef", 3), spread_out("ab", 3)
    (['a', 'c', 'e'], ['a', 'b'])
    """
    return [items[i * len(items) // count] for i in range(count)] if len(items) > count else list(items)


def shorten(text: str, most: int = LINE) -> str:
    """The text, cut at a space where it is too long.

    >>> shorten("one two three", 10), shorten("one")
    ('one two...', 'one')
    """
    if len(text) <= most:
        return text
    return (text[: most - 2].rpartition(" ")[0] or text[: most - 3]) + "..."
