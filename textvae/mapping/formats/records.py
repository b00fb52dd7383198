"""What the formats of text share: rows in parts, and how much of a file has been read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from textvae.mapping.formats.base import PART_CHARACTERS, PART_ROWS, Opened
from textvae.text.corpora.encoding import Watch, watched

T = TypeVar("T")


def in_parts(rows: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """The rows of a file in parts of bounded size.

    Args:
        rows: of a file.
        size: characters of a row.

    >>> [len(part) for part in in_parts(["a"] * 10_000, len)]
    [8192, 1808]
    """
    part: list[T] = []
    characters = 0
    for row in rows:
        part.append(row)
        characters += size(row)
        if len(part) >= PART_ROWS or characters >= PART_CHARACTERS:
            yield part
            part, characters = [], 0
    if part:
        yield part


class TextFileOpened(Opened):
    """A file of text that is being read.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watch = Watch()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within this context, `share_read` follows the file that is read."""
        with watched() as watch:
            self._watch = watch
            yield

    def share_read(self) -> float:
        return min(1.0, self._watch.read / max(1, self._watch.size))
