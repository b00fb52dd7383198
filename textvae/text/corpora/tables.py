"""Tables: CSV, TSV and JSON lines, with a text column and optionally a label column."""

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
from textvae.parsing import parse_json
from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus, Row, filled
from textvae.text.corpora.reading import checked_text, read_lines


class _TableCorpus(FileCorpus):
    """Settings that all tables share.

    Attributes:
        text_column: name of the column with the text; in a file without a header its position, from 0.
        label_column: name or position of the column with the label; None for no labels. An empty cell is no label.
    """

    text_column: str | int = "text"
    label_column: str | int | None = None

    example_settings: ClassVar[Mapping[str, str]] = {"label_column": "label"}

    @property
    def has_labels(self) -> bool:
        return self.label_column is not None

    def _missing(self, path: Path, column: str | int, present: Sequence[str], which: str) -> DataError:
        shown = ", ".join(repr(name) for name in present[:20]) or "none"
        return DataError(
            f"{path} has no column {column!r}; its columns are {shown}; set {which} of the card to one of them."
        )


class _SeparatedCorpus(_TableCorpus):
    """Settings that CSV and TSV share.

    Attributes:
        header: whether the first line names the columns. If not, columns are named by their position, from 0.
    """

    header: bool = True

    may_have_header: ClassVar[bool] = True

    @model_validator(mode="after")
    def _positions_without_header(self) -> _SeparatedCorpus:
        if not self.header:
            for name, column in (("text_column", self.text_column), ("label_column", self.label_column)):
                if isinstance(column, str):
                    raise ValueError(f"{name} must be a position (0, 1, ...) where header = false")
        return self

    @abstractmethod
    def _records(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        """Rows of cells, each with the number of the line on which it ends; an empty line is a row without cells."""

    def rows(self, path: Path) -> Iterator[Row]:
        return (dict[str | int, object](enumerate(row)) for _, row in self._records(path) if row)

    def read_file(self, path: Path) -> Iterator[Example]:
        records = self._records(path)
        names: list[str] | None = None
        if self.header:
            names = next((row for _, row in records), [])
        text_at = label_at = -1
        for number, row in records:
            if text_at < 0:
                columns = names if names is not None else [str(i) for i in range(len(row))]
                text_at = self._position(path, self.text_column, columns, "text_column")
                if self.label_column is not None:
                    label_at = self._position(path, self.label_column, columns, "label_column")
            if not row:
                yield Example("")
                continue
            if len(row) <= max(text_at, label_at):
                raise DataError(
                    f"{path}, line {number} has {len(row)} columns, expected at least {max(text_at, label_at) + 1}; "
                    "quote or mend that line."
                )
            yield Example(row[text_at], (row[label_at].strip() or None) if label_at >= 0 else None)

    def _position(self, path: Path, column: str | int, columns: list[str], which: str) -> int:
        if isinstance(column, int):
            if not 0 <= column < len(columns):
                raise self._missing(path, column, columns, which)
            return column
        if column not in columns:
            raise self._missing(path, column, columns, which)
        return columns.index(column)


class CSVCorpus(_SeparatedCorpus):
    """Comma-separated values, quoted as in RFC 4180 (a quoted cell may hold commas and line ends).

    Attributes:
        delimiter: the character between cells.
    """

    kind: Literal["csv"] = "csv"
    delimiter: str = ","

    endings: ClassVar[tuple[str, ...]] = (".csv",)
    example: ClassVar[str] = 'text,label\n"Good, really.",pos\nBad.,neg\n'

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, delimiter: str) -> str:
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise ValueError("expected one character that is no quotation mark and no line end")
        return delimiter

    def _records(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        return read_csv(path, self.delimiter)


class TSVCorpus(_SeparatedCorpus):
    """Tab-separated values: a tab ends a cell, a line end ends a row, and quotation marks have no special meaning."""

    kind: Literal["tsv"] = "tsv"

    separator: ClassVar[str] = "\t"
    endings: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    example: ClassVar[str] = "label\ttext\npos\tGood, really.\nneg\tBad.\n"

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        lines = filled(lines)
        return all(line.count(cls.separator) == lines[0].count(cls.separator) > 0 for line in lines)

    def _records(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        for number, line in read_lines(path):
            yield number, line.split(self.separator) if line else []


class JSONLinesCorpus(_TableCorpus):
    """One JSON object on each line. An object without the label column has no label."""

    kind: Literal["json_lines"] = "json_lines"

    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    example: ClassVar[str] = '{"text": "Good, really.", "label": "pos"}\n{"text": "Bad.", "label": "neg"}\n'

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        return all(line.lstrip().startswith("{") for line in filled(lines))

    def rows(self, path: Path) -> Iterator[Row]:
        return (dict[str | int, object](record.items()) for _, record in read_json_lines(path))

    def read_file(self, path: Path) -> Iterator[Example]:
        for number, record in read_json_lines(path):
            if self.text_column not in record:
                raise self._missing(path, self.text_column, list(record), f"(line {number}) text_column")
            text = record[str(self.text_column)]
            if not isinstance(text, str | None):
                raise DataError(
                    f"{path}, line {number}: {self.text_column!r} is {type(text).__name__}, expected a string; "
                    "choose another text_column."
                )
            label = record.get(str(self.label_column)) if self.label_column is not None else None
            label = label_text(label)
            where = f"{shown_path(path)}, line {number}"
            for value in (text, label):
                if value is not None and "\0" in value:
                    checked_text(value, where)
            yield Example(text or "", label)


def label_text(value: object) -> str | None:
    """A label as text; None and blank strings mean "no label".

    >>> label_text(3), label_text(" pos "), label_text("")
    ('3', 'pos', None)
    """
    return None if value is None else (str(value).strip() or None)


def read_csv(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file, each with the number of the line on which it ends.

    Raises:
        DataError: not UTF-8, or not CSV, such as a quote that is never closed.
    """
    # Python's default limit of 128 kB for a cell is too low for some documents.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows = csv.reader((line + "\n" for _, line in read_lines(path)), delimiter=delimiter, strict=True)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise DataError(
            f'{path}, line {rows.line_num} is not CSV ({error}); mend that line, or use kind = "tsv".'
        ) from None


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Line numbers and objects of a JSON-lines file; blank lines are skipped.

    Raises:
        DataError: not UTF-8, or a line that is not a JSON object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        record = parse_json(line, f"{shown_path(path)}, line {number}", DataError)
        if not isinstance(record, dict):
            raise DataError(
                f'{path}, line {number} is a JSON {type(record).__name__}, expected an object such as {{"text": ...}}.'
            )
        yield number, record
