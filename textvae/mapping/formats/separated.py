"""CSV and TSV: rows of cells. A row that is broken is given with the reason, and reading goes on at the next line."""

from __future__ import annotations

import csv
import io
import re
import sys
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.mapping.formats.base import Format, Opened, Part, Tables, Wish, new_text
from textvae.mapping.formats.cells import NAME, as_text, shown_name
from textvae.mapping.formats.records import TextFileOpened, in_parts
from textvae.mapping.formats.text_column import LOOKED_AT, find_text
from textvae.mapping.formats.tolerant import Line, first_lines, tolerant_lines
from textvae.text.corpora.column_names import known_name
from textvae.text.corpora.delimiters import DELIMITERS, names_delimiter, sniff
from textvae.text.inspect.header import unique_names
from textvae.text.inspect.kind import delimiter_of

LONGEST_CELL_LINES = 10_000
"""Lines that a quoted cell may have. Where there are more, its quote is taken for one that nobody closed."""
_ENDS = re.compile(r"[\t\r\n]+")


class Dialect(NamedTuple):
    """How cells are separated.

    Attributes:
        delimiter: the character between cells.
        quoted: whether quotation marks enclose cells.
        escape: a character that takes the meaning from a quotation mark, if there is one.
    """

    delimiter: str
    quoted: bool = True
    escape: str | None = None


class Record(NamedTuple):
    """A row: its cells, and why it is broken, if it is."""

    cells: list[str]
    problem: str | None = None


class SeparatedFormat(Format):
    """What CSV and TSV share."""

    def open(self, path: Path, wish: Wish) -> Opened:
        first = first_lines(path, LOOKED_AT, has_names=True)
        lines = [line.text for line in first if line.problem is None]
        return OpenedTable(path, wish, self.dialect(lines, wish.delimiter))

    @abstractmethod
    def dialect(self, lines: Sequence[str], delimiter: str | None) -> Dialect:
        """How the cells of a file with these first lines are separated."""

    @abstractmethod
    def written_dialect(self, source: Opened | None) -> Dialect:
        """How cells are separated in a file that is written."""

    def write(self, path: Path, tables: Tables, results: Sequence[str], source: Opened | None) -> None:
        names: dict[str, str] = {}
        for schema in tables.schemas:
            names |= {field.name: shown_name(field) for field in schema}
        # The columns that were added come last.
        order = [name for name in names if name not in results] + list(results)
        dialect = self.written_dialect(source)
        with new_text(path) as file:
            if not isinstance(source, OpenedTable) or source.header:
                file.write(_row([names[name] for name in order], dialect))
            for table in tables.read():
                empty = [""] * len(table)
                columns = [
                    as_text(table[name], table.schema.field(name)) if name in table.column_names else empty
                    for name in order
                ]
                file.writelines(_row(cells, dialect) for cells in zip(*columns, strict=True))


class CSVFormat(SeparatedFormat):
    """Cells between commas, or another character, quoted as in RFC 4180."""

    name: ClassVar[str] = "csv"
    endings: ClassVar[tuple[str, ...]] = (".csv",)

    def dialect(self, lines: Sequence[str], delimiter: str | None) -> Dialect:
        found = sniff(lines, only=None if delimiter is None else delimiter_of(delimiter))
        if delimiter is None and (found is None or found.columns == 1):
            # Too many rows are broken; a header of usual names still tells.
            return Dialect(next((one for one in DELIMITERS if _heads(lines, one)), ","))
        if found is None:
            return Dialect("," if delimiter is None else delimiter_of(delimiter))
        settings: dict[str, Any] = {"delimiter": "\t" if found.kind == "tsv" else ",", **found.settings}
        quoted = bool(settings.get("quoted", found.kind != "tsv"))
        return Dialect(str(settings["delimiter"]), quoted, settings.get("escape"))

    def written_dialect(self, source: Opened | None) -> Dialect:
        return Dialect(source.dialect.delimiter if isinstance(source, OpenedTable) else ",")


class TSVFormat(SeparatedFormat):
    """Cells between tabs; quotation marks have no meaning where the file does not enclose cells in them."""

    name: ClassVar[str] = "tsv"
    endings: ClassVar[tuple[str, ...]] = (".tsv", ".tab")

    def dialect(self, lines: Sequence[str], delimiter: str | None) -> Dialect:
        found = sniff(lines, only="\t" if delimiter is None else delimiter_of(delimiter))
        if found is None or found.kind == "tsv" or (delimiter is None and found.columns == 1 and _heads(lines, "\t")):
            return Dialect("\t" if delimiter is None else delimiter_of(delimiter), quoted=False)
        settings: dict[str, Any] = {"delimiter": ",", "quoted": True, **found.settings}
        return Dialect(str(settings["delimiter"]), bool(settings["quoted"]), settings.get("escape"))

    def written_dialect(self, source: Opened | None) -> Dialect:
        return Dialect("\t", quoted=isinstance(source, OpenedTable) and source.dialect.quoted)


class OpenedTable(TextFileOpened):
    """A CSV or TSV file that is being read.

    Args:
        path: the file.
        wish: which column holds the text.
        dialect: how cells are separated.

    Attributes:
        dialect: the same.
        header: whether the first row names the columns.
        names: a name for each column of the first row, no two the same.
    """

    def __init__(self, path: Path, wish: Wish, dialect: Dialect) -> None:
        super().__init__(path)
        self.dialect = dialect
        first = next((record.cells for record in self._records() if record.cells and record.problem is None), None)
        if first is None:
            raise DataError(f"{shown_path(path)} has no row that can be read; look at the file.")
        looked = (dict[str | int, object](enumerate(one.cells)) for one in self._records() if self._is_sound(one))
        table = find_text(path, looked, may_have_header=True, column=wish.column)
        self.header = bool(table.header)
        columns = unique_names(dict(enumerate(first))) if self.header else list(range(len(first)))
        self.names = [str(name) for name in columns]
        self._shown = first if self.header else self.names
        if wish.column is None and wish.likely in self.names:
            self.column = wish.likely
        else:
            self.column = str(table.text)
        self._at = self.names.index(self.column)

    @staticmethod
    def _is_sound(record: Record) -> bool:
        return record.problem is None and bool(record.cells)

    def parts(self) -> Iterator[Part]:
        with self.watching():
            records = self._records()
            if self.header:
                # The header is the first row that can be read; what is above it is no row of the table.
                next(record for record in records if self._is_sound(record))
            for part in in_parts(records, lambda record: sum(map(len, record.cells))):
                yield self._part(part)

    def _part(self, records: list[Record]) -> Part:
        width = len(self.names)
        texts: list[str | None] = []
        problems: list[str | None] = []
        for cells, problem in records:
            while len(cells) > width and not cells[-1].strip():
                cells.pop()  # a delimiter at the end of the row begins no cell
            if problem is None and cells and len(cells) != width:
                problem = f"broken: the row has {len(cells)} cells, and the table has {width} columns"
            problems.append(problem)
            texts.append(cells[self._at] if self._at < len(cells) else None)
            cells.extend([""] * (width - len(cells)))
        columns = [pa.array([record.cells[at] for record in records], pa.string()) for at in range(width)]
        fields = [
            pa.field(name, pa.string(), metadata={NAME: shown.encode()})
            for name, shown in zip(self.names, self._shown, strict=True)
        ]
        return Part(pa.table(columns, schema=pa.schema(fields)), texts, problems)

    def _records(self) -> Iterator[Record]:
        lines = tolerant_lines(self.path)
        first = next(lines, None)
        if first is not None and not names_delimiter(first.text):
            lines = _chain(first, lines)
        return read_records(lines, self.dialect)


def _heads(lines: Sequence[str], delimiter: str) -> bool:
    """Whether the first line has several cells, of which usual names of columns are at least half."""
    cells = next((line for line in lines if line.strip()), "").split(delimiter)
    return len(cells) > 1 and 2 * sum(map(known_name, cells)) >= len(cells)


def _chain(first: Line, lines: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from lines


def read_records(lines: Iterator[Line], dialect: Dialect) -> Iterator[Record]:
    """The rows of a table; a line that is no row, or opens a quote that is not closed, is a broken one by itself.

    Args:
        lines: of the file.
        dialect: how cells are separated.

    >>> lines = map(Line, ["a,b", '"1', '2",3', '"never closed,4', "5,6"])
    >>> [(cells, problem is None) for cells, problem in read_records(lines, Dialect(","))]
    [(['a', 'b'], True), (['1\\n2', '3'], True), (['"never closed', '4'], False), (['5', '6'], True)]
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    waiting: deque[Line] = deque()

    def next_line() -> Line | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (line := next_line()) is not None:
        if line.problem is not None or not dialect.quoted or ('"' not in line.text and dialect.escape is None):
            yield Record(line.text.split(dialect.delimiter) if line.text else [], line.problem)
            continue
        used = [line]

        def feed(used: list[Line] = used) -> Iterator[str]:
            yield used[0].text + "\n"
            while len(used) < LONGEST_CELL_LINES and (following := next_line()) is not None:
                used.append(following)
                if following.problem is not None:
                    return
                yield following.text + "\n"

        reader = csv.reader(feed(), delimiter=dialect.delimiter, escapechar=dialect.escape, strict=True)
        try:
            yield Record(next(reader, []))
        except csv.Error as error:
            waiting.extendleft(reversed(used[1:]))
            yield Record(line.text.split(dialect.delimiter), f"broken: its quotes are not those of CSV ({error})")


def _row(cells: Sequence[str], dialect: Dialect) -> str:
    """A row as it is written, with its line end."""
    if not dialect.quoted:
        # Nothing can enclose a cell, so what would end it becomes a space.
        return dialect.delimiter.join(_ENDS.sub(" ", cell) for cell in cells) + "\n"
    out = io.StringIO()
    csv.writer(out, delimiter=dialect.delimiter, lineterminator="\n").writerow(cells)
    return out.getvalue()
