"""Tables of JSON objects: one on each line, or in a list or one after another."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.parsing import parse_json
from textvae.text.corpora import reading
from textvae.text.corpora.files import Row, filled
from textvae.text.corpora.json_records import MISSING, at_path, flat, read_records
from textvae.text.corpora.reading import checked_text
from textvae.text.corpora.tables import Cells, TableCorpus, label_text, no_column

_PATIENCE = 1000  # objects without the text column, at the beginning of a file, after which it is taken to be wrong


class _JSONCorpus(TableCorpus):
    """Settings that both kinds share. A column within another is named by a dotted path (``data.text``, or
    ``choices.0.text`` in a list), but a name that itself has dots comes first."""

    @abstractmethod
    def records(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every object with its place in the file, such as ``line 3``."""

    def rows(self, path: Path) -> Iterator[Row]:
        return (flat(record) for _, record in self.records(path))

    def cells(self, path: Path) -> Iterator[Cells]:
        found, columns = 0, list[str]()
        for count, (place, record) in enumerate(self.records(path), start=1):
            text = at_path(record, str(self.text_column))
            if text is MISSING:
                columns = columns or [str(column) for column in flat(record)]
                if not found and count >= _PATIENCE:
                    break
                yield Cells("", None, None)
                continue
            found += 1
            if isinstance(text, dict | list):
                got = "an object" if isinstance(text, dict) else "a list"
                raise DataError(
                    f"{shown_path(path)}, {place}: {self.text_column!r} is {got}, expected a string; choose another "
                    "text_column."
                )
            cells = Cells(
                "" if text is None else str(text),
                self._cell(record, self.label_column),
                self._cell(record, self.split_column),
            )
            for value in cells:
                if value is not None and "\0" in value:
                    checked_text(value, f"{shown_path(path)}, {place}")
            yield cells
        if not found and columns:
            raise no_column(path, self.text_column, columns, "text_column")

    @staticmethod
    def _cell(record: dict[str, Any], column: str | int | None) -> str | None:
        """The label or the split; an object without the column has none."""
        if column is None:
            return None
        value = at_path(record, str(column))
        return None if value is MISSING else label_text(value)


class JSONLinesCorpus(_JSONCorpus):
    """One JSON object on each line. An object without the label column has no label."""

    kind: Literal["json_lines"] = "json_lines"

    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    example: ClassVar[str] = '{"text": "Good, really.", "label": "pos"}\n{"text": "Bad.", "label": "neg"}\n'

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        first = filled(lines)
        # A single object may have a list of records in it.
        return len(first) > 1 and all(_is_object(line) for line in first)

    def records(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        name = shown_path(path)
        for number, line in reading.read_lines(path):
            if not line.strip():
                continue
            record = parse_json(line, f"{name}, line {number}", DataError, nan_is_null=True)
            if not isinstance(record, dict):
                raise DataError(
                    f"{name}, line {number} is a JSON {type(record).__name__}, expected an object such as "
                    '{"text": ...}.'
                )
            yield f"line {number}", record


class JSONCorpus(_JSONCorpus):
    """A JSON list of objects, of lists or of strings (their column is `text`), or an object with such a list in it, or
    objects one after another, on however many lines. Only one object at a time is in memory."""

    kind: Literal["json"] = "json"

    endings: ClassVar[tuple[str, ...]] = (".json",)
    example: ClassVar[str] = '[\n  {"text": "Good, really.", "label": "pos"},\n  {"text": "Bad.", "label": "neg"}\n]\n'

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        return _begins_as_json(filled(lines)) and not JSONLinesCorpus.looks_like(lines)

    def records(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, record in enumerate(read_records(path), start=1):
            yield f"object {number}", record


def _is_object(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return line.rstrip().endswith("}") and '"' in line


def _begins_as_json(lines: Sequence[str]) -> bool:
    return "".join(lines[:3]).replace(" ", "").startswith(('[{"', '["', '{"'))
