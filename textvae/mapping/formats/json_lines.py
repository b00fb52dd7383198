"""JSON lines: an object a line. Fields are kept as they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.mapping.formats.base import Format, Opened, Part, Tables, Wish, new_text
from textvae.mapping.formats.cells import JSON, as_json_values
from textvae.mapping.formats.records import TextFileOpened, in_parts
from textvae.mapping.formats.text_column import LOOKED_AT, find_text
from textvae.mapping.formats.tolerant import Line, first_lines, tolerant_lines
from textvae.parsing import parse_json
from textvae.text.corpora.json_records import MISSING, at_path, flat


class Record(NamedTuple):
    """An object of JSON, the length of its line, and why it is broken, if it is."""

    fields: dict[str, Any]
    size: int
    problem: str | None = None


class JSONLinesFormat(Format):
    """An object of JSON a line."""

    name: ClassVar[str] = "json_lines"
    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")

    def open(self, path: Path, wish: Wish) -> Opened:
        return _OpenedJSONLines(path, wish)

    def write(self, path: Path, tables: Tables, results: Sequence[str], source: Opened | None) -> None:
        with new_text(path) as file:
            for table in tables.read():
                names = [json.dumps(name, ensure_ascii=False) for name in table.column_names]
                columns = [as_json_values(table[name], table.schema.field(name)) for name in table.column_names]
                for cells in zip(*columns, strict=True):
                    fields = (f"{name}: {cell}" for name, cell in zip(names, cells, strict=True) if cell is not None)
                    file.write("{" + ", ".join(fields) + "}\n")


class _OpenedJSONLines(TextFileOpened):
    def __init__(self, path: Path, wish: Wish) -> None:
        super().__init__(path)
        looked = [
            record for record in map(_record, first_lines(path, LOOKED_AT)) if record.problem is None and record.fields
        ]
        if not looked:
            raise DataError(
                f"{shown_path(path)} has no line that is an object of JSON; write one a line (in pandas: to_json with "
                "orient='records', lines=True)."
            )
        named = wish.likely if wish.column is None else wish.column
        if named is not None and _may_be_text(looked, named):
            self.column = named
            return
        found = find_text(path, (flat(record.fields) for record in looked), column=wish.column)
        self.column = str(found.text)

    def parts(self) -> Iterator[Part]:
        with self.watching():
            for records in in_parts(_records(self.path), lambda record: record.size):
                yield self._part(records)

    def _part(self, records: list[Record]) -> Part:
        assert self.column is not None
        names = dict.fromkeys(name for record in records for name in record.fields)
        columns = {
            name: pa.array(
                [
                    json.dumps(record.fields[name], ensure_ascii=False) if name in record.fields else None
                    for record in records
                ],
                pa.string(),
            )
            for name in names
        }
        schema = pa.schema([pa.field(name, pa.string(), metadata=JSON) for name in names])
        texts: list[str | None] = []
        problems: list[str | None] = []
        for record in records:
            value = at_path(record.fields, self.column)
            text = None if value is MISSING or value is None else value
            problem = record.problem
            if isinstance(text, dict | list):
                problem = (
                    f"broken: {self.column!r} is {'an object' if isinstance(text, dict) else 'a list'}, not a text"
                )
                text = None
            problems.append(problem)
            texts.append(None if text is None else str(text))
        if not names:
            return Part(pa.table({"": pa.nulls(len(records))}).select([]), texts, problems)
        return Part(pa.table(list(columns.values()), schema=schema), texts, problems)


def _may_be_text(records: Sequence[Record], column: str) -> bool:
    """Whether a field is in some of the records, and not an object in all of these."""
    found = [at_path(record.fields, column) for record in records]
    return any(value is not MISSING and not isinstance(value, dict) for value in found)


def _records(path: Path) -> Iterator[Record]:
    return map(_record, tolerant_lines(path))


def _record(line: Line) -> Record:
    size = len(line.text)
    if line.problem is not None or not line.text.strip():
        return Record({}, size, line.problem)
    try:
        found = parse_json(line.text, "the line", DataError, nan_is_null=True)
    except DataError as error:
        return Record({}, size, f"broken: {str(error).partition('; ')[0].removesuffix('.')}")
    if not isinstance(found, dict):
        return Record({}, size, f"broken: the line is a JSON {type(found).__name__}, not an object")
    return Record(found, size)
