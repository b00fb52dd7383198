"""The kinds of files that are read and written. To add one: one file, and its line here."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pyarrow.ipc  # noqa: F401 (a part of pyarrow that is imported by itself)

from textvae.arguments import shown
from textvae.errors import ConfigError
from textvae.mapping.formats.base import Format, Opened, Part, Tables, Wish
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

__all__ = ["FORMATS", "Format", "Opened", "Part", "Tables", "Wish", "format_of", "named_format"]

_LOOKED_AT = 500


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
