"""Lines of text files, gzip too, with errors that name file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from textvae.errors import DataError


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) and lines without their ends, of a UTF-8 file; a byte order mark is dropped.

    Only ``\\n`` (and ``\\r\\n``) ends a line, as in other tools; the rarer Unicode line ends stay in the text.

    Raises:
        DataError: the file is not UTF-8, or not the gzip file its name says.
    """
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{path}, line {number} is not UTF-8 (byte 0x{byte:02x} at column {error.start + 1}); "
            "convert it, for instance with `iconv -f latin1 -t utf-8`."
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is no whole gzip file, after line {number} ({error}); fetch it again.") from None
