"""Files of lines: a text a line in, a result a line out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from textvae.errors import DataError
from textvae.mapping.formats.base import Format, Opened, Part, Tables, Wish, new_text
from textvae.mapping.formats.cells import as_text, number_lists
from textvae.mapping.formats.records import TextFileOpened, in_parts
from textvae.mapping.formats.text_column import LOOKED_AT
from textvae.mapping.formats.tolerant import first_lines, tolerant_lines

TEXT = "text"
"""The column of the lines, where they are written as a table."""


class LinesFormat(Format):
    """A text a line. A file that is written has the results alone, one row a line, with tabs between several."""

    name: ClassVar[str] = "lines"
    endings: ClassVar[tuple[str, ...]] = (".txt",)
    keeps_columns: ClassVar[bool] = False

    def open(self, path: Path, wish: Wish) -> Opened:
        if wish.column is not None:
            raise DataError(f"{path} has no columns, only lines; leave out --column, or say its --format.")
        first_lines(path, LOOKED_AT)
        return _OpenedLines(path)

    def write(self, path: Path, tables: Tables, results: Sequence[str], source: Opened | None) -> None:
        with new_text(path) as file:
            for table in tables.read():
                columns = []
                for name in results[:-1]:
                    values = table[name]
                    numbers = number_lists(values, " ")
                    columns.append(as_text(values, table.schema.field(name)) if numbers is None else numbers)
                for cells in zip(*columns, strict=True):
                    file.write("\t".join(" ".join((cell or "").splitlines()) for cell in cells).rstrip("\t") + "\n")


class _OpenedLines(TextFileOpened):
    def parts(self) -> Iterator[Part]:
        with self.watching():
            for lines in in_parts(tolerant_lines(self.path), lambda line: len(line.text)):
                texts: list[str | None] = [line.text for line in lines]
                yield Part(pa.table({TEXT: pa.array(texts, pa.string())}), texts, [line.problem for line in lines])
