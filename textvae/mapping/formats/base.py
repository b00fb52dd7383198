"""The base of file formats: a file is read in parts, and written from parts."""

from __future__ import annotations

import gzip
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TextIO

import pyarrow as pa

GZIP = ".gz"
"""The ending of a compressed file, behind that of its format."""
PART_ROWS, PART_CHARACTERS = 8192, 8_000_000
"""A part has so many rows; fewer where its texts have more characters than this. Parts depend on the file alone, so
that an interrupted work goes on with the same ones."""


@dataclass(frozen=True)
class Part:
    """Some rows of a file.

    Attributes:
        table: their columns, all of the file.
        texts: the text of each row; None where there is none.
        problems: why a row could not be read; None where it could.
    """

    table: pa.Table
    texts: list[str | None]
    problems: list[str | None]


@dataclass(frozen=True)
class Wish:
    """Which column holds the text.

    Attributes:
        column: as the user says; None if not said.
        likely: the one that the run's corpus has its texts in, used where the file has it too.
        delimiter: the character between cells, as the user says; None if not said.
    """

    column: str | None = None
    likely: str | None = None
    delimiter: str | None = None


class Opened(ABC):
    """A file that is being read.

    Attributes:
        column: the name of the column with the text; None for a file without columns.
    """

    column: str | None = None

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """The rows of the file, in order."""

    @abstractmethod
    def share_read(self) -> float:
        """About which share of the file has been read, from 0 to 1."""


@dataclass(frozen=True)
class Tables:
    """What is written to a file.

    Attributes:
        schemas: those of the tables, each once, in the order of the first table that has it.
        read: gives the tables, as often as it is called; one at a time is in memory.
    """

    schemas: tuple[pa.Schema, ...]
    read: Callable[[], Iterator[pa.Table]]


class Format(ABC):
    """A kind of file."""

    name: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]
    """Of file names, in lower case; the first one is that of a new file."""
    keeps_columns: ClassVar[bool] = True
    """Whether a file of this kind has columns beside the results."""
    is_text: ClassVar[bool] = True
    """Whether a file of this kind is text, which may be compressed by gzip as a whole."""

    @abstractmethod
    def open(self, path: Path, wish: Wish) -> Opened:
        """Open a file, and find the column with the text.

        Raises:
            DataError: it is no such file, or has no such column.
        """

    @abstractmethod
    def write(self, path: Path, tables: Tables, results: Sequence[str], source: Opened | None) -> None:
        """Write a file.

        Args:
            path: that does not exist; text is compressed where its name ends in ``.gz``.
            tables: what is written; they may have different columns.
            results: the columns that were added, in order, `error` last.
            source: the file that was read, whose style is kept where it is of the same kind.
        """


@contextmanager
def new_text(path: Path) -> Iterator[TextIO]:
    """A new text file in UTF-8; compressed where its name ends in ``.gz``, to bytes that depend on the text alone.

    Args:
        path: that does not exist.
    """
    if path.suffix.lower() != GZIP:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as compressed,
        io.TextIOWrapper(compressed, encoding="utf-8", newline="") as file,
    ):
        yield file
