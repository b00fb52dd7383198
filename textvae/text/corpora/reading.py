"""Reading users' files: lines of text (also gzip) and TOML settings, with errors that name file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, AnyStr

from textvae.disk import problem_of_file, shown_path
from textvae.errors import ConfigError, DataError
from textvae.parsing import bad_character, parse_toml
from textvae.text.corpora.encoding import TextFile, open_text

LONGEST_LINE = 2**26
"""Bytes or characters of a line at most. A longer line is not text, and might not fit in memory."""
CONVERT = "convert the file, for instance by `iconv -f windows-1252 -t utf-8` (which reads latin1 too)"
"""The cure for a file that is not UTF-8."""
LARGEST_SETTINGS = 2**20
"""Bytes of a recipe or a card at most."""


def require_file(path: Path, expected: str) -> None:
    """Refuse a path that is not a regular file (or a link to one), without opening it.

    Args:
        path: the path.
        expected: the cure in the error message, such as ``give a text file with one sentence a line``.

    Raises:
        DataError: the path does not exist, is a folder, a pipe, a socket or a device, or is not a valid path.
    """
    problem = problem_of_file(path)
    if problem is not None:
        raise DataError(f"{shown_path(path)} {problem}; {expected}.")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) and lines, without line ends, of a text file; a byte order mark is dropped.

    The file is in UTF-8, or in UTF-16 or UTF-32 where its first bytes show that. ``\\n`` and ``\\r\\n`` end a line,
    ``\\r`` alone where the beginning of the file has hardly any other; other Unicode line ends stay in the text.

    Raises:
        DataError: not a regular file, no text, not in its encoding, a line that is too long, or a damaged gzip file.
    """
    require_file(path, "give a file of text")
    number = 0
    try:
        with open_text(path) as source:
            for number, raw in enumerate(_raw_lines(source), start=1):
                if isinstance(raw, bytes) and b"\0" in raw:
                    raise DataError(
                        f"{shown_path(path)}, line {number} is not UTF-8 but, by its NUL bytes, UTF-16 or no text at "
                        "all; convert it by `iconv -f utf-16 -t utf-8`, or give a text file."
                    )
                if len(raw) >= LONGEST_LINE:
                    raise DataError(
                        f"{shown_path(path)}, line {number} has more than {LONGEST_LINE // 2**20} MB; put one text on "
                        "a line."
                    )
                if isinstance(raw, str):
                    checked_text(raw, f"{shown_path(path)}, line {number}")
                line: str = raw.decode("utf-8") if isinstance(raw, bytes) else raw
                line = line.removesuffix("\n").removesuffix("\r")
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, number, error) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise broken_gzip(path, number, error) from None


def read_characters(path: Path) -> Iterator[str]:
    """The characters of a text file, a part at a time, for formats whose records are no lines; see `read_lines`.

    Raises:
        DataError: not a regular file, no text, not in its encoding, or a damaged gzip file.
    """
    require_file(path, "give a file of text")
    lines = 1
    try:
        with open_text(path) as source:
            for part in source.decoded():
                if "\0" in part:
                    checked_text(part, f"{shown_path(path)}, line {lines + part[: part.index(chr(0))].count(chr(10))}")
                lines += part.count("\n")
                yield part
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        error.start -= before.rfind(b"\n") + 1
        error.object = error.object[before.rfind(b"\n") + 1 :]
        raise _wrong_encoding(path, lines + before.count(b"\n"), error) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise broken_gzip(path, lines - 1, error) from None


def read_beginning(path: Path, characters: int = 2**20) -> tuple[list[str], str]:
    """The first lines of a text file, and its encoding, such as ``utf-8``; for what `textvae new` finds in it.

    Raises:
        DataError: as by `read_characters`.
    """
    require_file(path, "give a file of text")
    try:
        with open_text(path) as source:
            encoding, line_end = source.encoding, source.line_end
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise broken_gzip(path, 0, error) from None
    read, size, whole = [], 0, True
    for part in read_characters(path):
        read.append(part)
        size += len(part)
        if size >= characters:
            whole = False
            break
    lines = [line.removesuffix("\r") for line in "".join(read).split(line_end)]
    return (lines if whole or len(lines) == 1 else lines[:-1]), encoding


def _raw_lines(source: TextFile) -> Iterator[bytes | str]:
    """The lines of a file, as bytes where it is UTF-8."""
    if source.encoding != "utf-8":
        yield from _cut(source.decoded(), source.line_end)
    elif source.line_end != "\n":
        yield from _cut(source.chunks(), source.line_end.encode())
    else:
        yield from source.lines(LONGEST_LINE)


def _cut(chunks: Iterator[AnyStr], end: AnyStr) -> Iterator[AnyStr]:
    """The lines of a text that comes in chunks; one that is too long is given in parts, for the caller to refuse."""
    rest = end[:0]
    for chunk in chunks:
        lines = (rest + chunk).split(end)
        rest = lines.pop()
        yield from lines
        if len(rest) >= LONGEST_LINE:
            yield rest
    if rest:
        yield rest


def _wrong_encoding(path: Path, number: int, error: UnicodeDecodeError) -> DataError:
    byte = error.object[error.start]
    if error.encoding.replace("_", "-").lower() not in ("utf-8", "utf8"):
        return DataError(
            f"{shown_path(path)} begins as {error.encoding.upper()} and, after line {number}, is not; save it as UTF-8."
        )
    mixed = "lines before it are, so mend this one; to convert the whole file would spoil the others"
    cure = mixed if _begins_as_utf8(path, number - 1) else CONVERT
    where = f"byte 0x{byte:02x} at column {error.start + 1}"
    return DataError(f"{shown_path(path)}, line {max(1, number)} is not UTF-8 ({where}); {cure}.")


def _begins_as_utf8(path: Path, lines: int) -> bool:
    """Whether one of the first lines, all of which can be read, has a letter that only UTF-8 writes so."""
    with open_text(path) as source:
        return any(not raw.isascii() for raw in islice(_raw_lines(source), max(0, lines)))


def broken_gzip(path: Path, number: int, error: Exception) -> DataError:
    if isinstance(error, gzip.BadGzipFile) and not number:
        return DataError(f"{shown_path(path)} ends in .gz and is not compressed by gzip; rename it, or fetch it again.")
    after = f", after line {number}" if number else ""
    return DataError(f"{shown_path(path)} is no whole gzip file{after} ({error}); fetch it again.")


def read_toml(path: Path, where: str, expected: str) -> dict[str, Any]:
    """The tables of a recipe or a corpus card.

    Args:
        path: the file.
        where: its name in an error message, such as ``recipe demo.toml``.
        expected: the cure in the error message if the path is not such a file.

    Raises:
        ConfigError: not a regular file, too large for settings, not UTF-8, or not TOML.
    """
    problem = problem_of_file(path)
    if problem is not None:
        raise ConfigError(f"{where} {problem}; {expected}.")
    with path.open("rb") as file:
        raw = file.read(LARGEST_SETTINGS + 1)
    if len(raw) > LARGEST_SETTINGS:
        raise ConfigError(f"{where} has more than {LARGEST_SETTINGS // 2**20} MB, and settings are small; {expected}.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    return parse_toml(text, where)


def checked_text(text: str, where: str) -> str:
    """The text or label unchanged, after checking that it can be stored.

    Raises:
        DataError: it has a NUL character or half of a surrogate pair.
    """
    found = bad_character(text)
    if found is not None:
        raise DataError(f"{where} holds {found}; mend it, or leave it out.")
    return text
