"""Rows spread evenly over what was read of a file, for files that are sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

LEAST = 100
"""Items that are read though they are long."""


def spread(items: Iterable[T], most: int) -> list[T]:
    """Some of the items, at equal distances over all of them: at least half of `most` where there are so many.

    >>> spread(range(10), 4)
    [0, 4, 8]
    """
    kept: list[T] = []
    step = 1
    for place, item in enumerate(items):
        if place % step:
            continue
        kept.append(item)
        if len(kept) > most:
            kept, step = kept[::2], 2 * step
    return kept


class Bounded(Iterator[T]):
    """Items until there are enough of them, or of their characters; of long ones at least some.

    Attributes:
        complete: whether they were all.
    """

    def __init__(self, items: Iterator[T], most: int, most_characters: int) -> None:
        self._items = items
        self._most, self._most_characters = most, most_characters
        self._count = self._characters = 0
        self.complete = False

    def __next__(self) -> T:
        enough = self._characters >= self._most_characters * (1 if self._count >= LEAST else 4)
        if self.complete or enough or self._count >= self._most:
            self.complete = self.complete or next(self._items, None) is None
            raise StopIteration
        try:
            item = next(self._items)
        except StopIteration:
            self.complete = True
            raise
        self._count += 1
        return item

    def spend(self, characters: int) -> None:
        """Count the characters of the last item."""
        self._characters += characters

    def further(self, most: int) -> Iterator[T]:
        """Items after those that were enough."""
        return islice(self._items, most)
