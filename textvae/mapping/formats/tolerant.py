"""The lines of a text file, whatever is in them: a line that cannot be read is given with the reason."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.text.corpora.encoding import TextFile, open_text
from textvae.text.corpora.reading import CONVERT, broken_gzip, require_file

LONGEST_LINE = 2**24
"""Bytes or characters of a line that are read, at most."""
_SHOWN, _NOT_UTF8 = 200, "broken: it is not UTF-8"


class Line(NamedTuple):
    """A line without its end.

    Attributes:
        text: what can be read of it.
        problem: why it cannot be read as it is; None where it can.
    """

    text: str
    problem: str | None = None


def tolerant_lines(path: Path) -> Iterator[Line]:
    """Every line of a text file, in its encoding; see `textvae.text.corpora.reading.read_lines`.

    Raises:
        DataError: it is no regular file, or is a picture, an archive and so on.
    """
    require_file(path, "give a file of texts")
    return chain.from_iterable(_blocks(path))


def first_lines(path: Path, most: int, *, has_names: bool = False) -> list[Line]:
    """The first lines of a file, which must not be a text in another encoding; some broken lines are none.

    Args:
        path: the file.
        most: number of lines that are read, at most.
        has_names: whether the first line may name the columns, so that one that cannot be read spoils all others.

    Raises:
        DataError: half of the lines are not UTF-8, or the first one is not and may be a header.
    """
    found = list(islice(tolerant_lines(path), most))
    foreign = [at for at, line in enumerate(found, start=1) if (line.problem or "").startswith(_NOT_UTF8)]
    if foreign and (2 * len(foreign) >= len(found) or (has_names and foreign[0] == 1)):
        raise DataError(
            f"{shown_path(path)} is not UTF-8 (line {foreign[0]}, and {len(foreign):,} of the first {len(found):,} in "
            f"all); {CONVERT}."
        )
    return found


def _blocks(path: Path) -> Iterator[list[Line]]:
    """The lines, many at a time."""
    number = 0
    try:
        with open_text(path) as source:
            for lines in _decoded(source) if source.encoding == "utf-8" else _cut(source):
                if number == 0 and lines:
                    lines[0] = Line(lines[0].text.removeprefix("\ufeff"), lines[0].problem)
                number += len(lines)
                yield lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise broken_gzip(path, number, error) from None


def _decoded(source: TextFile) -> Iterator[list[Line]]:
    """The lines of a file in UTF-8."""
    end = source.line_end.encode()
    rest, too_long = b"", False
    for chunk in source.chunks():
        cut = chunk.rfind(end)
        if cut < 0:
            rest += chunk
        else:
            yield _whole_lines(rest + chunk[:cut], source.line_end, too_long)
            rest, too_long = chunk[cut + 1 :], False
        if len(rest) > LONGEST_LINE:
            rest, too_long = rest[:_SHOWN], True
    if rest or too_long:
        yield [_line(rest, too_long)]


def _whole_lines(raw: bytes, end: str, first_too_long: bool) -> list[Line]:
    """The lines of some bytes, which end where a line does."""
    if not first_too_long and len(raw) <= LONGEST_LINE:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" not in text:
            return [Line(line.removesuffix("\r")) for line in text.split(end)]
    first, *others = raw.split(end.encode())
    return [_line(first, first_too_long), *(_line(piece, too_long=False) for piece in others)]


def _line(raw: bytes, too_long: bool) -> Line:
    raw = raw.removesuffix(b"\r")
    if too_long or len(raw) > LONGEST_LINE:
        return Line(raw[:_SHOWN].decode("utf-8", "replace"), _TOO_LONG)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
        return Line(raw.decode("utf-8", "replace").replace("\0", "\ufffd"), f"{_NOT_UTF8} ({byte})")
    if "\0" in text:
        return Line(text.replace("\0", "\ufffd"), "broken: it holds a NUL character")
    return Line(text)


_TOO_LONG = f"broken: the line has more than {LONGEST_LINE // 2**20} MB"


def _cut(source: TextFile) -> Iterator[list[Line]]:
    """The lines of a file in UTF-16 or UTF-32."""
    rest, too_long = "", False
    for chunk in _readable(source):
        *whole, rest_of_chunk = chunk.split(source.line_end)
        lines = []
        for piece in whole:
            lines.append(Line((rest + piece).removesuffix("\r"), _TOO_LONG if too_long else None))
            rest, too_long = "", False
        yield lines
        rest += rest_of_chunk
        if len(rest) > LONGEST_LINE:
            rest, too_long = rest[:_SHOWN], True
    if rest or too_long:
        yield [Line(rest.removesuffix("\r"), _TOO_LONG if too_long else None)]


def _readable(source: TextFile) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(source.encoding)("replace")
    first = True
    for chunk in source.chunks():
        text = decoder.decode(chunk)
        yield text.removeprefix("\ufeff") if first else text
        first = first and not text
    yield decoder.decode(b"", final=True)
