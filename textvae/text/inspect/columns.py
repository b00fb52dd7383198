"""Which column of a table holds the text, and which the labels; and whether the first row is a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from textvae.errors import DataError
from textvae.text.corpora.files import Row
from textvae.text.corpora.tables import label_text

TEXT_NAMES = ("text", "sentence", "review", "content", "body", "comment", "message", "document", "question", "title")
LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "tag", "topic", "rating", "y")


def has_header(first_rows: list[Row]) -> bool:
    """Whether the first row is a header: short, distinct cells that are known names or do not recur in their column."""
    if len(first_rows) < 2:
        return False
    first, rest = first_rows[0], first_rows[1:]
    cells = [str(cell).strip() for cell in first.values()]
    if len(set(cells)) < len(cells) or not all(cells) or any(len(cell.split()) > 3 for cell in cells):
        return False
    if any(cell.lower() in TEXT_NAMES + LABEL_NAMES for cell in cells):
        return True
    if any(cell in {row.get(place) for row in rest} for place, cell in first.items()):
        return False
    # Without a known name, take the first row for a header if it is far shorter than the text below it.
    longest = max(float(np.mean([len(cell(row, place)) for row in rest])) for place in first)
    return max(map(len, cells)) < longest / 2 and all(cell.isidentifier() for cell in cells)


def text_column(path: Path, first_rows: list[Row], columns: tuple[str | int, ...]) -> str | int:
    """The column of the longest texts, or one with a typical name if its texts are at least a quarter as long."""
    mean = {column: float(np.mean([len(cell(row, column)) for row in first_rows])) for column in columns}
    if not mean or max(mean.values()) == 0:
        raise DataError(f"{path} has no column with text; its columns are {', '.join(map(repr, columns)) or 'none'}.")
    longest = max(mean.values())
    for name in TEXT_NAMES:
        for column in columns:
            if str(column).lower() == name and mean[column] >= longest / 4:
                return column
    return max(mean, key=mean.__getitem__)


def label_column(first_rows: list[Row], columns: tuple[str | int, ...], text: str | int) -> str | int | None:
    """A column of few, short, repeated values: one with a typical name, else the one with the fewest values."""
    candidates = []
    for column in columns:
        values = [value for row in first_rows if (value := label_text(row.get(column))) is not None]
        distinct = set(values)
        named = str(column).lower() in LABEL_NAMES
        # Many published files are sorted by label, so the first rows of a label column may all have the same one.
        few = (1 if named else 2) <= len(distinct) <= min(50, max(2, len(values) // 4))
        if column != text and few and max(map(len, distinct)) <= 40:
            candidates.append((not named, len(distinct), columns.index(column), column))
    return min(candidates)[3] if candidates else None


def renamed(row: Row, names: list[str]) -> Row:
    return {names[place]: cell for place, cell in row.items() if isinstance(place, int) and place < len(names)}


def cell(row: Row, column: str | int) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


def label(row: Row, column: str | int | None) -> str | None:
    return None if column is None else label_text(row.get(column))
