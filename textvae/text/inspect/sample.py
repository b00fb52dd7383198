"""Rows spread evenly over what was read of a file, for files that are sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

LEAST = 100
"""Items that are read though they are long."""


class Spread(Generic[T]):
    """Some of the items that are added, at equal distances over all of them: at least half of `most` where there are so
    many.

    Attributes:
        kept: the items, in their order.
    """

    def __init__(self, most: int) -> None:
        self.kept: list[T] = []
        self._most, self._step, self._added = most, 1, 0

    def add(self, item: T) -> None:
        if self._added % self._step == 0:
            self.kept.append(item)
            if len(self.kept) > self._most:
                self.kept, self._step = self.kept[::2], 2 * self._step
        self._added += 1


def spread(items: Iterable[T], most: int) -> list[T]:
    """Some of the items, at equal distances; see `Spread`.

    >>> spread(range(10), 4)
    [0, 4, 8]
    """
    found: Spread[T] = Spread(most)
    for item in items:
        found.add(item)
    return found.kept


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
