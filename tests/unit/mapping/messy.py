"""Rows of a file that nobody would choose, in every format, and what is right for each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from textvae.mapping.formats import FORMATS


@dataclass(frozen=True)
class Given:
    """A row: its text, and the kind of answer that is right (`good`, `long`, `blank` or `broken`)."""

    text: str | None
    kind: str


GOOD = [
    "the a i is good",
    "the b j is bad",
    "zorb quux",
    "the",
    'the "c" k, is; | fine',
    "日本語 the é is",
    "the d l is poor " + "\u2028 x",
]
LONG = ["the a i is good " * 5]
BLANK = ["", " ", "\t ", "\u00a0"]


def rows_of(name: str) -> list[Given]:
    """Rows for a file of this format, in a mixed order."""
    good = [Given(text, "good") for text in GOOD]
    long, blank = [Given(text, "long") for text in LONG], [Given(text, "blank") for text in BLANK]
    if name in ("parquet", "arrow", "json_lines"):
        good.append(Given("the e m\nis sad", "good"))
        blank.append(Given(None, "blank"))
    if name == "csv":
        good.append(Given("the e m\nis sad", "good"))
    if name == "tsv":
        blank = [one for one in blank if "\t" not in str(one.text)]
    return [*good[:3], blank[0], *long, *good[3:], *blank[1:], *good]


def columns_of(rows: Sequence[Given]) -> dict[str, list[Any]]:
    """The columns of a table with these rows, a label among them, whose name a result may have."""
    numbers = list(range(len(rows)))
    return {
        "id": [f"{number:03d}" for number in numbers],
        "text": [row.text for row in rows],
        "label": [["x", "y"][number % 2] for number in numbers],
        "score": [number / 4 for number in numbers],
    }


def write(path: Path, name: str, rows: Sequence[Given]) -> None:
    """A file of this format with these rows."""
    columns = columns_of(rows)
    if name == "lines":
        path.write_text("".join(f"{row.text or ''}\n" for row in rows), encoding="utf-8", newline="")
    elif name == "csv":
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        path.write_text(out.getvalue(), encoding="utf-8", newline="")
    elif name == "tsv":
        lines = ["\t".join(map(str, cells)) for cells in [tuple(columns), *zip(*columns.values(), strict=True)]]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    elif name == "json_lines":
        records = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        records[1]["more"] = {"nested": [1, None, "é"]}
        del records[2]["score"]
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
    elif name == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        table = pa.table(columns)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)


def read(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file by a reader that is not ours; those of lines as `result`."""
    if name == "lines":
        return [{"result": line} for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    if name in ("csv", "tsv"):
        with path.open(encoding="utf-8", newline="") as file:
            if name == "tsv":
                return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
            first = file.readline()
            file.seek(0)
            return list(csv.DictReader(file, delimiter=";" if ";" in first else ","))
    if name == "json_lines":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    if name == "parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    with pa.OSFile(str(path)) as source:
        read_rows: list[dict[str, Any]] = pa.ipc.open_file(source).read_all().to_pylist()
    return read_rows


ENDINGS = {name: kind.endings[0] for name, kind in FORMATS.items()}
