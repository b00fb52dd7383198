"""Reading users' files: lines of text (also gzip) and TOML settings, with errors that name file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from textvae.disk import problem_of_file, shown_path
from textvae.errors import ConfigError, DataError
from textvae.parsing import bad_character, parse_toml

LONGEST_LINE = 2**26
"""Bytes of a line at most. A longer line is not text, and might not fit in memory."""
LARGEST_SETTINGS = 2**20
"""Bytes of a recipe or a card at most."""

_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


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
    """Line numbers (from 1) and lines, without line ends, of a UTF-8 file; a byte order mark is dropped.

    Only ``\\n`` and ``\\r\\n`` end a line, as in other tools; other Unicode line ends stay in the text.

    Raises:
        DataError: not a regular file, not UTF-8, a line that is too long, or a damaged gzip file.
    """
    require_file(path, "give a file of text")
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, raw in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), start=1):
                if b"\0" in raw or (number == 1 and raw.startswith(_MARKS)):
                    raise DataError(
                        f"{shown_path(path)}, line {number} is not UTF-8 but, by its NUL bytes or its first bytes, "
                        "UTF-16 or no text at all; convert it by `iconv -f utf-16 -t utf-8`, or give a text file."
                    )
                if len(raw) == LONGEST_LINE:
                    raise DataError(
                        f"{shown_path(path)}, line {number} has more than {LONGEST_LINE // 2**20} MB; put one text on "
                        "a line."
                    )
                line = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{shown_path(path)}, line {number} is not UTF-8 (byte 0x{byte:02x} at column {error.start + 1}); "
            "convert it, for instance with `iconv -f latin1 -t utf-8`."
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{shown_path(path)} is no whole gzip file, after line {number} ({error}); fetch it again."
        ) from None


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
