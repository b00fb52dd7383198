"""Rows spread evenly over what was read of a file, for files that are sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


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
    """Items until there are enough of them, or of their characters.

    Attributes:
        complete: whether they were all.
    """

    def __init__(self, items: Iterator[T], most: int, most_characters: int) -> None:
        self._items = items
        self._left, self._characters = most, most_characters
        self.complete = False

    def __next__(self) -> T:
        if self._left <= 0 or self._characters <= 0:
            if not self.complete and next(self._items, None) is None:
                self.complete = True
            raise StopIteration
        try:
            item = next(self._items)
        except StopIteration:
            self.complete = True
            raise
        self._left -= 1
        return item

    def spend(self, characters: int) -> None:
        """Count the characters of the last item."""
        self._characters -= characters
