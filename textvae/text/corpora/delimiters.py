"""Whether lines are rows of a table, and by which character their cells are separated."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from textvae.text.corpora.column_names import known_name

DELIMITERS = (",", "\t", ";", "|")
"""The characters that are tried, the one that wins a tie first."""

_ROWS = 500
_TABLE, _SURE = 0.8, 0.95
_CELL, _SPACED = 30, 0.8


@dataclass(frozen=True)
class Sniffed:
    """A table that lines seem to be.

    Attributes:
        kind: of the corpus, ``csv`` or ``tsv``.
        settings: of its card, where they are not the default.
        columns: number of columns of most rows.
        share: share of the rows that have as many.
        rows: the first rows.
    """

    kind: str
    settings: Mapping[str, object]
    columns: int
    share: float
    rows: Sequence[Sequence[str]] = field(repr=False)


def sniff(lines: Sequence[str], *, by_content: bool = False, only: str | None = None) -> Sniffed | None:
    """The table that lines are; None where no character separates cells.

    Args:
        lines: the first lines of a file.
        by_content: whether nothing else says that this is a table, so that prose with commas must not pass for one.
        only: the character that separates cells, if it is known.

    >>> found = sniff(["text;label", "Well, good;pos", "Bad;neg"])
    >>> found.kind, found.settings, found.columns
    ('csv', {'delimiter': ';'}, 2)
    >>> sniff(["He came, and he saw.", "Then, at last, he won."], by_content=True) is None
    True
    """
    lines = [line for line in lines if line.strip()]
    if lines and names_delimiter(lines[0]):
        table = _as_table(lines[1:], lines[0][4])
        # Of the two kinds, CSV leaves such a line out.
        plain = table is not None and table.kind == "tsv"
        return replace(table, kind="csv", settings={"delimiter": "\t", "quoted": False}) if table and plain else table
    found = [table for delimiter in only or DELIMITERS if (table := _as_table(lines, delimiter)) is not None]
    found = [table for table in found if (_is_surely_a_table(table) if by_content else _may_be_a_table(table))]
    if found:
        return max(found, key=lambda table: (known_names(table) > 0, round(table.share, 2), -round(_spaced(table), 1)))
    return None if by_content else _single_column(lines)


def names_delimiter(line: str) -> bool:
    """Whether a first line says which character separates cells, as spreadsheet programs write it.

    >>> names_delimiter("sep=;"), names_delimiter("sepia;")
    (True, False)
    """
    return len(line) == 5 and line.startswith("sep=")


def _as_table(lines: Sequence[str], delimiter: str) -> Sniffed | None:
    """The table that lines are if this character separates cells: with quotes that enclose cells, if they can."""
    if not any(delimiter in line for line in lines):
        return None
    plain = [line.split(delimiter) for line in lines]
    opened = any(cell.startswith('"') for row in plain for cell in row)
    if not opened:
        return _counted(plain, delimiter, {}, quoted=False)
    for escape in (None, "\\"):
        rows = _quoted_rows(lines, delimiter, escape)
        if rows is None:
            continue
        if delimiter == "\t" and not _encloses(plain, rows):
            break
        return _counted(rows, delimiter, {} if escape is None else {"escape": escape}, quoted=True)
    return _counted(plain, delimiter, {} if delimiter == "\t" else {"quoted": False}, quoted=False)


def _counted(
    rows: Sequence[Sequence[str]], delimiter: str, settings: Mapping[str, object], quoted: bool
) -> Sniffed | None:
    columns, share = Counter(map(len, rows)).most_common(1)[0][0], _share(rows)
    if columns < 2 or share < _TABLE or len(rows[0]) < 2:
        return None
    if delimiter == "\t" and not quoted:
        return Sniffed("tsv", settings, columns, share, rows)
    other = {} if delimiter == "," else {"delimiter": delimiter}
    return Sniffed("csv", {**other, **settings}, columns, share, rows)


def _share(rows: Sequence[Sequence[str]]) -> float:
    """Share of the rows that have as many cells as most."""
    return max(Counter(map(len, rows)).values()) / len(rows)


def _quoted_rows(lines: Sequence[str], delimiter: str, escape: str | None) -> list[list[str]] | None:
    """The rows by the rules of CSV; None where the lines break these rules. The last row may be cut off."""
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, escapechar=escape, strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in reader if row)
    except csv.Error:
        # A row that the end of these lines cuts off; a quote that is never closed takes many lines.
        if reader.line_num < len(lines) or len(rows) < len(lines) // 2:
            return None
    return rows or None


def _encloses(plain: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> bool:
    """Whether quotes around tab-separated cells enclose them, and are no part of the texts."""
    quoted = [cell for row in plain for cell in row if len(cell) > 1 and cell[0] == cell[-1] == '"']
    many = sum(any(cell[:1] == cell[-1:] == '"' for cell in row) for row in plain) >= len(plain) / 2
    better = len(rows) < len(plain) or _share(rows) > _share(plain)
    return better or many or any('""' in cell[1:-1] for cell in quoted)


def _single_column(lines: Sequence[str]) -> Sniffed | None:
    """A table of one column: the rules of CSV, or any delimiter that is in none of the lines."""
    rows = _quoted_rows(lines, ",", None) if lines else None
    if rows is not None and all(len(row) == 1 for row in rows):
        return Sniffed("csv", {}, 1, 1.0, rows)
    absent = next((character for character in ("\t", "|", ";") if not any(character in line for line in lines)), None)
    if absent is None or not lines:
        return None
    rows = _quoted_rows(lines, absent, None)
    settings = {"delimiter": absent} if rows is not None else {"delimiter": absent, "quoted": False}
    return Sniffed("csv", settings, 1, 1.0, rows or [[line] for line in lines])


def known_names(table: Sniffed) -> int:
    """Number of cells of the first row that are usual names of columns."""
    return sum(known_name(cell) for cell in table.rows[0])


def _spaced(table: Sniffed) -> float:
    """Share of the delimiters that a blank follows, as in prose."""
    after = [cell for row in table.rows[:_ROWS] for cell in row[1:]]
    return sum(cell.startswith(" ") for cell in after) / max(1, len(after))


def _has_classes(table: Sniffed) -> bool:
    """Whether a column has a few short values again and again, or only numbers."""
    rows = [row for row in table.rows[1:_ROWS] if len(row) == table.columns]
    return any(
        max(map(len, column)) <= _CELL
        and (2 <= len(set(column)) <= max(2, len(column) // 5) or all(cell.strip().isdecimal() for cell in column))
        for column in zip(*rows, strict=True)
    )


def _may_be_a_table(table: Sniffed) -> bool:
    """Whether lines that an ending says are a table are one with this delimiter, and no texts that all have a comma."""
    return known_names(table) > 0 or _spaced(table) < _SPACED or _has_classes(table)


def _is_surely_a_table(table: Sniffed) -> bool:
    """Whether lines are a table though no ending says so; verses and prose have commas and semicolons too."""
    rows = table.rows
    if table.share < _SURE or len(rows[0]) != table.columns or len(rows) < 2:
        return False
    if table.kind == "tsv" or table.settings.get("delimiter") == "\t":
        return table.share == 1 or known_names(table) > 0
    if known_names(table) > 0 and all(len(cell.split()) <= 3 for cell in rows[0]) and not rows[0][1].startswith(" "):
        return True
    # In prose a blank follows the comma, and no part of a line recurs again and again.
    return len(rows) >= 10 and table.share == 1 and _spaced(table) < 1 - _SPACED and _has_classes(table)
