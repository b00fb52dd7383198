"""The kinds of files that are read and written. To add one: one file, and its line here."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pyarrow.ipc  # noqa: F401 (a part of pyarrow that is imported by itself)

from textvae.arguments import shown
from textvae.errors import ConfigError
from textvae.mapping.formats.base import GZIP, Format, Opened, Part, Tables, Wish
from textvae.mapping.formats.columnar import ArrowFormat, ParquetFormat
from textvae.mapping.formats.json_lines import JSONLinesFormat
from textvae.mapping.formats.lines import LinesFormat
from textvae.mapping.formats.separated import CSVFormat, TSVFormat
from textvae.mapping.formats.tolerant import tolerant_lines
from textvae.text.corpora import FILE_KINDS

FORMATS: dict[str, Format] = {
    kind.name: kind() for kind in (LinesFormat, CSVFormat, TSVFormat, JSONLinesFormat, ParquetFormat, ArrowFormat)
}
"""Every format by its name."""

__all__ = [
    "FORMATS",
    "Format",
    "Opened",
    "Part",
    "Tables",
    "Wish",
    "compression",
    "format_of",
    "named_format",
    "target_format",
]

_LOOKED_AT = 500
_NOT_WRITTEN = frozenset(
    (".xlsx", ".xls", ".ods", ".npy", ".npz", ".pkl", ".pickle", ".zip", ".bz2", ".xz", ".zst", ".7z", ".docx", ".pdf")
)
"""Endings of other kinds of files: what has such a name and is text cannot be opened."""


def named_format(name: str) -> Format:
    """A format by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in FORMATS:
        raise ConfigError(f"--format is {shown(name)}; expected one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def format_by_ending(path: Path) -> Format | None:
    """The format that a file name's ending names; None for another ending. ``.gz`` behind it does not count."""
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    return next((kind for kind in FORMATS.values() if ending in kind.endings), None)


def compression(path: Path) -> str:
    """``.gz`` for a file name that ends so, else nothing.

    >>> compression(Path("codes.csv.gz")), compression(Path("codes.csv"))
    ('.gz', '')
    """
    return GZIP if path.suffix.lower() == GZIP else ""


def target_format(out: Path, source: Format) -> Format:
    """The format of a file that is written: by its ending, else that of the input.

    Args:
        out: the file.
        source: the format of the input.

    Raises:
        ConfigError: the ending is that of a kind of file that is not written, or of compression that is not.
    """
    named = format_by_ending(out)
    found = source if named is None else named
    if compression(out) and not found.is_text:
        raise ConfigError(f"--out is {shown(str(out))}, and {found.name} is compressed within; leave {GZIP} out.")
    if named is None and (ending := Path(out.name.removesuffix(GZIP)).suffix.lower()) in _NOT_WRITTEN:
        endings = ", ".join(ending for kind in FORMATS.values() for ending in kind.endings[:1])
        raise ConfigError(f"--out ends in {ending}, which is not written; expected one of {endings}.")
    return found


def format_of(path: Path) -> Format:
    """The format of a file that is read: by its ending, else by its first lines; lines if nothing else is told.

    Raises:
        DataError: it is no file, or no text.
    """
    named = format_by_ending(path)
    if named is not None and named.keeps_columns:
        return named
    lines = [line.text for line in islice(tolerant_lines(path), _LOOKED_AT)]
    for name in ("json_lines", "tsv", "csv"):
        if any(line.strip() for line in lines) and FILE_KINDS[name].looks_like(lines):
            return FORMATS[name]
    return FORMATS["lines"]
