"""Number and choice of the sentences that a section of the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SHOWN = 12
"""Most sentences in a list of the report."""


def spread_out(items: Sequence[T], count: int = SHOWN) -> list[T]:
    """At most `count` of some items, evenly spread over them.

    >>> spread_out("abcdef", 3), spread_out("ab", 3)
    (['a', 'c', 'e'], ['a', 'b'])
    """
    return [items[i * len(items) // count] for i in range(count)] if len(items) > count else list(items)
