"""Tables with a character between cells: CSV and TSV."""

from __future__ import annotations

import csv
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import field_validator, model_validator

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.text.corpora import reading
from textvae.text.corpora.delimiters import names_delimiter, sniff
from textvae.text.corpora.files import Row
from textvae.text.corpora.tables import Cells, TableCorpus, label_text, no_column


class SeparatedCorpus(TableCorpus):
    """Settings that CSV and TSV share.

    Attributes:
        header: whether the first line names the columns. If not, columns are named by their position, from 0. Of
            columns with the same name the first one is meant; the others have their position.
    """

    header: bool = True

    may_have_header: ClassVar[bool] = True

    @model_validator(mode="after")
    def _positions_without_header(self) -> SeparatedCorpus:
        if not self.header:
            for name in ("text_column", "label_column", "split_column"):
                if isinstance(getattr(self, name), str):
                    raise ValueError(f"{name} must be a position (0, 1, ...) where header = false")
        return self

    @abstractmethod
    def _records(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        """Rows of cells, each with the number of the line on which it ends; an empty line is a row without cells."""

    def _cure(self) -> str:
        """What to do where a row has too few cells."""
        return "quote or mend that line"

    def rows(self, path: Path) -> Iterator[Row]:
        return (dict[str | int, object](enumerate(row)) for _, row in self._records(path) if row)

    def cells(self, path: Path) -> Iterator[Cells]:
        records = self._records(path)
        names: list[str] | None = None
        if self.header:
            names = next((row for _, row in records if row), [])
        places: list[int] | None = None
        for number, row in records:
            if places is None:
                places = self._places(path, names if names is not None else [str(place) for place in range(len(row))])
                text_at, label_at, split_at = places
            if not row:
                yield Cells("", None, None)
                continue
            if len(row) <= text_at:
                raise DataError(
                    f"{shown_path(path)}, line {number} has {len(row)} columns, expected at least {max(places) + 1}; "
                    f"{self._cure()}."
                )
            yield Cells(row[text_at], _cell(row, label_at), _cell(row, split_at))

    def _places(self, path: Path, columns: list[str]) -> list[int]:
        """The positions of the text, the label and the split; -1 for a column that is not used."""
        return [
            -1 if column is None else self._position(path, column, columns, which)
            for column, which in (
                (self.text_column, "text_column"),
                (self.label_column, "label_column"),
                (self.split_column, "split_column"),
            )
        ]

    def _position(self, path: Path, column: str | int, columns: list[str], which: str) -> int:
        if isinstance(column, int):
            if not 0 <= column < len(columns):
                raise no_column(path, column, columns, which)
            return column
        stripped = [name.strip() for name in columns]
        for names in (columns, stripped):
            if column in names:
                return names.index(column)
        raise no_column(path, column, columns, which)


class CSVCorpus(SeparatedCorpus):
    """Comma-separated values, quoted as in RFC 4180 (a quoted cell may hold commas and line ends).

    Attributes:
        delimiter: the character between cells.
        quoted: whether a quotation mark at the beginning of a cell encloses the cell; if not, it is a plain character.
        escape: a character that takes the meaning from the quotation mark after it, such as a backslash.
    """

    kind: Literal["csv"] = "csv"
    delimiter: str = ","
    quoted: bool = True
    escape: str | None = None

    later: ClassVar[frozenset[str]] = SeparatedCorpus.later | {"quoted", "escape"}

    endings: ClassVar[tuple[str, ...]] = (".csv",)
    example: ClassVar[str] = 'text,label\n"Good, really.",pos\nBad.,neg\n'

    @field_validator("delimiter", "escape")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or value in '"\r\n\0'):
            raise ValueError("expected one character that is no quotation mark and no line end")
        return value

    @model_validator(mode="after")
    def _escape_is_no_delimiter(self) -> CSVCorpus:
        if self.escape == self.delimiter:
            raise ValueError("escape must be another character than delimiter")
        return self

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        found = sniff(lines, by_content=True)
        return found is not None and found.kind == "csv"

    @classmethod
    def settings_of(cls, lines: Sequence[str]) -> Mapping[str, object]:
        found = sniff(lines)
        return found.settings if found is not None and found.kind == "csv" else {}

    def _records(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        return read_csv(path, self.delimiter, quoted=self.quoted, escape=self.escape)


class TSVCorpus(SeparatedCorpus):
    """Tab-separated values: a tab ends a cell, a line end ends a row, and quotation marks have no special meaning."""

    kind: Literal["tsv"] = "tsv"

    separator: ClassVar[str] = "\t"
    endings: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    example: ClassVar[str] = "label\ttext\npos\tGood, really.\nneg\tBad.\n"

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        found = sniff(lines, by_content=True)
        return found is not None and found.kind == "tsv"

    def _cure(self) -> str:
        return (
            'mend that line; where quotes enclose cells with line ends or tabs, the card needs kind = "csv" and '
            'delimiter = "\\t"'
        )

    def _records(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        for number, line in reading.read_lines(path):
            yield number, line.split(self.separator) if line else []


def read_csv(
    path: Path, delimiter: str = ",", *, quoted: bool = True, escape: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file, each with the number of the line on which it ends.

    A first line such as ``sep=;``, in which some programs name the delimiter, is no row.

    Args:
        path: the file.
        delimiter: the character between cells.
        quoted: whether quotation marks enclose cells.
        escape: a character that takes the meaning from a quotation mark.

    Raises:
        DataError: not in its encoding, or not CSV, such as a quote that is never closed.
    """
    # Python's default limit of 128 kB for a cell is too low for some documents.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    began, size, left_out = 1, 0, 0

    def lines() -> Iterator[str]:
        nonlocal began, size, left_out
        for number, line in reading.read_lines(path):
            if number == 1 and names_delimiter(line):
                began, left_out = 2, 1
                continue
            size += len(line)
            if size > reading.LONGEST_LINE:
                raise DataError(
                    f"{shown_path(path)}, line {began} opens a quote that is not closed within "
                    f"{reading.LONGEST_LINE // 2**20} MB; close it, or set quoted = false in the card."
                )
            yield line + "\n"

    rows = csv.reader(
        lines(), delimiter=delimiter, escapechar=escape, strict=True, quoting=csv.QUOTE_MINIMAL if quoted else 3
    )
    try:
        for row in rows:
            yield rows.line_num + left_out, row
            began, size = rows.line_num + left_out + 1, 0
    except csv.Error as error:
        where = f"line {began}" if began == rows.line_num + left_out else f"the row that begins on line {began}"
        raise DataError(
            f"{shown_path(path)}, {where} is not CSV ({error}); mend its quotes, or set quoted = false in the card if "
            "quotes are plain characters there."
        ) from None


def _cell(row: list[str], place: int) -> str | None:
    return label_text(row[place]) if 0 <= place < len(row) else None
