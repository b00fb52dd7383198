"""Parquet and Arrow: tables with typed columns."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.mapping.apply import texts_of
from textvae.mapping.formats.base import PART_ROWS, Format, Opened, Part, Tables, Wish
from textvae.mapping.formats.cells import is_json, typed, unified
from textvae.mapping.formats.text_column import LOOKED_AT, find_text
from textvae.text.corpora.reading import require_file


class ColumnarFormat(Format):
    """What Parquet and Arrow share."""

    is_text: ClassVar[bool] = False

    def open(self, path: Path, wish: Wish) -> Opened:
        require_file(path, "give a file of texts")
        return _OpenedColumns(path, wish, self)

    def write(self, path: Path, tables: Tables, results: Sequence[str], source: Opened | None) -> None:
        kinds: dict[str, set[type]] = defaultdict(set)
        if any(is_json(field) for schema in tables.schemas for field in schema):
            for table in tables.read():
                for field in filter(is_json, table.schema):
                    kinds[field.name] |= {type(json.loads(text)) for text in table[field.name].to_pylist() if text}
        found = unified(tables.schemas, lambda name: kinds[name])
        order = [field for field in found if field.name not in results]
        schema = pa.schema([*order, *(found.field(name) for name in results)])
        self.write_tables(path, schema, (typed(table, schema) for table in tables.read()))

    @abstractmethod
    def read_batches(self, path: Path) -> Iterator[pa.RecordBatch]:
        """The rows of a file, a part at a time.

        Raises:
            pa.ArrowException: the file is damaged.
        """

    @abstractmethod
    def rows_of(self, path: Path) -> int | None:
        """Number of rows, where the file says so."""

    @abstractmethod
    def write_tables(self, path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        """Write tables of one schema."""


class ParquetFormat(ColumnarFormat):
    """Parquet."""

    name: ClassVar[str] = "parquet"
    endings: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    def read_batches(self, path: Path) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(PART_ROWS)

    def rows_of(self, path: Path) -> int | None:
        with pq.ParquetFile(path) as file:
            found: int = file.metadata.num_rows
            return found

    def write_tables(self, path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        # A dictionary of numbers that hardly ever repeat takes time, and more room than the numbers.
        repeating = [name for field in schema for name, kind in _leaves(field) if not pa.types.is_floating(kind)]
        with pq.ParquetWriter(path, schema, use_dictionary=repeating) as writer:
            for table in tables:
                writer.write_table(table)


def _leaves(field: pa.Field, inside: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """The columns in which Parquet stores a column, each by its path."""
    kind, path = field.type, f"{inside}{field.name}"
    if pa.types.is_struct(kind):
        for child in kind:
            yield from _leaves(child, f"{path}.")
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _leaves(pa.field("element", kind.value_type), f"{path}.list.")
    else:
        yield path, kind


class ArrowFormat(ColumnarFormat):
    """Arrow IPC: the file format (Feather too) is written, and the stream format is read as well."""

    name: ClassVar[str] = "arrow"
    endings: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc")

    def read_batches(self, path: Path) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(path)) as source:
            for batch in _batches(source):
                batch.validate(full=True)
                for start in range(0, len(batch), PART_ROWS):
                    yield batch.slice(start, PART_ROWS)

    def rows_of(self, path: Path) -> int | None:
        return None

    def write_tables(self, path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for table in tables:
                writer.write_table(table)


def _batches(source: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    head = source.read(6)
    source.seek(0)
    if head != b"ARROW1":
        yield from pa.ipc.open_stream(source)
        return
    reader = pa.ipc.open_file(source)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


class _OpenedColumns(Opened):
    """A Parquet or Arrow file that is being read."""

    def __init__(self, path: Path, wish: Wish, kind: ColumnarFormat) -> None:
        self._path, self._kind = path, kind
        self._read, self._rows = 0, self._sound(lambda: kind.rows_of(path))
        first = self._sound(lambda: next(kind.read_batches(path), None))
        if first is None:
            raise DataError(f"{shown_path(path)} has no rows; give a file with texts.")
        names = first.schema.names
        if len(set(names)) < len(names):
            raise DataError(f"{shown_path(path)} has columns of the same name; rename them.")
        self.column = wish.column if wish.column is not None else wish.likely if wish.likely in names else None
        if self.column is None:
            rows = (dict[str | int, object](row) for row in first.slice(0, LOOKED_AT).to_pylist())
            self.column = str(find_text(path, rows).text)
        texts_of(pa.table(first), self.column)

    def _sound(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, pa.ArrowException) and error.errno is not None:
                raise
            told = str(error).splitlines()[0][:200]
            told = told.partition(". ")[0].removesuffix(".")
            raise DataError(
                f"{shown_path(self._path)} is no whole {self._kind.name} file ({told}); write or fetch it again."
            ) from None

    def parts(self) -> Iterator[Part]:
        assert self.column is not None
        batches = self._kind.read_batches(self._path)
        while (batch := self._sound(lambda: next(batches, None))) is not None:
            table = pa.table(batch)
            self._read += len(table)
            yield Part(table, texts_of(table, self.column), [None] * len(table))

    def share_read(self) -> float:
        return 0.0 if self._rows is None else self._read / max(1, self._rows)
