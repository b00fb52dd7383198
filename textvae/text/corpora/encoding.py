"""How a text file is encoded and where its lines end, told by its first bytes."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.text.corpora.signatures import HEAD, no_text

CHUNK = 2**16
"""Bytes that are read at once where lines do not end in `\\n`."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The bytes of a character that are NUL in Latin text.
_NULS = {"utf-32-le": (4, (2, 3)), "utf-32-be": (4, (0, 1)), "utf-16-le": (2, (1,)), "utf-16-be": (2, (0,))}
_LEAST_NULS, _MOST_OTHERS = 0.4, 0.02


@dataclass
class Watch:
    """How much of a file has been read.

    Attributes:
        read: bytes read so far, of the file as it is on disk.
        size: bytes of the file.
    """

    read: int = 0
    size: int = 0


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched() -> Iterator[Watch]:
    """Within this context, the `Watch` follows the file that was opened last."""
    watch = Watch()
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


@dataclass(frozen=True)
class TextFile:
    """An open file of text.

    Attributes:
        file: at its beginning.
        raw: the file on disk; the same where it is not compressed.
        encoding: such as ``utf-8``.
        line_end: ``\\n``; ``\\r`` for a file in which only that ends a line.
    """

    file: BufferedReader | gzip.GzipFile
    raw: BufferedReader
    encoding: str
    line_end: str

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the file, a part at a time."""
        while chunk := self.file.read(CHUNK):
            self.note()
            yield chunk

    def lines(self, longest: int) -> Iterator[bytes]:
        """The lines of the file with their ends ``\\n``; one of more than `longest` bytes comes in parts."""
        watch = _watch.get()
        lines = iter(partial(self.file.readline, longest), b"")
        if watch is None:
            yield from lines
            return
        for line in lines:
            watch.read = watch.read + len(line) if self.file is self.raw else self.raw.tell()
            yield line

    def decoded(self) -> Iterator[str]:
        """The characters of the file, a part at a time, without a byte order mark; line ends are as in the file.

        Raises:
            UnicodeDecodeError: the file is not in its encoding.
        """
        decoder = codecs.getincrementaldecoder(self.encoding)()
        first = True
        for chunk in self.chunks():
            text = decoder.decode(chunk)
            yield text.removeprefix("\ufeff") if first else text
            first = first and not text
        yield decoder.decode(b"", final=True)

    def note(self) -> None:
        """Tell the `Watch` how much has been read."""
        watch = _watch.get()
        if watch is not None:
            watch.read = self.raw.tell()


@contextmanager
def open_text(path: Path) -> Iterator[TextFile]:
    """Open a text file, unpacked if its name ends in ``.gz``.

    Raises:
        DataError: the file is no text but, for instance, a spreadsheet.
    """
    watch = _watch.get()
    if watch is not None:
        watch.read, watch.size = 0, path.stat().st_size
    with path.open("rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        head = file.read(HEAD)
        found = no_text(head)
        if found is not None:
            what, cure = found
            raise DataError(f"{shown_path(path)} is {what}, not text; {cure}.")
        file.seek(0)
        encoding = encoding_of(head)
        yield TextFile(file, raw, encoding, _line_end(head, encoding))


def encoding_of(head: bytes) -> str:
    """The encoding of a text by its first bytes: by a byte order mark, or by NUL bytes where Latin letters have them.

    >>> encoding_of("Good.".encode("utf-16")), encoding_of("Good.".encode("utf-16-be")), encoding_of(b"Good.")
    ('utf-16-le', 'utf-16-be', 'utf-8')
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" not in head:
        return "utf-8"
    for name, (width, nuls) in _NULS.items():
        whole = head[: len(head) // width * width]
        characters = len(whole) // width
        shares = [whole[place::width].count(0) / max(1, characters) for place in range(width)]
        others = [share for place, share in enumerate(shares) if place not in nuls]
        if characters > 1 and min(shares[place] for place in nuls) >= _LEAST_NULS and max(others) <= _MOST_OTHERS:
            return name
        # Latin letters of UTF-32 have a third NUL.
        if width == 4 and characters > 1 and min(shares[place] for place in nuls) == 1 and min(others) == 0:
            return name
    return "utf-8"


def _line_end(head: bytes, encoding: str) -> str:
    beginning = head.decode(encoding, errors="ignore")
    # A file may be cut between \\r and \\n.
    inner = beginning[:-1] if len(head) >= HEAD else beginning
    # A quoted cell of a table may hold other line ends than the rows.
    return "\r" if "\r\n" not in beginning and inner.count("\r") > 2 * beginning.count("\n") else "\n"
