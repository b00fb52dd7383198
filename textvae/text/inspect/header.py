"""Whether the first row of a table names its columns."""

from __future__ import annotations

from collections.abc import Sequence

from textvae.text.corpora.column_names import known_name
from textvae.text.corpora.files import Row
from textvae.text.inspect.profile import Profile, is_machine, profiles

_ENOUGH_ROWS = 10


def has_header(first: Row, rest: Sequence[Row]) -> bool:
    """Whether a row is a header: one of its cells is a usual name, or no value of its column could be like it.

    Empty, repeated and long cells say nothing.

    Args:
        first: the first row, by position.
        rest: some of the other rows.
    """
    cells = {place: str(cell).strip() for place, cell in first.items() if str(cell).strip()}
    if not cells:
        return False
    if not rest:
        # The header of a table without rows: an export in which there was nothing.
        return 2 * sum(map(known_name, cells.values())) > len(cells)
    columns = {profile.column: profile for profile in profiles(rest, list(first))}
    # A value that recurs in its own column is no name of it.
    names = {place: cell for place, cell in cells.items() if cell not in columns[place].counts}
    if any(known_name(cell) for cell in names.values()) and 2 * len(names) >= len(cells):
        return True
    if len(names) < len(cells) or len(rest) < 2:
        return False
    if _is_count(list(cells.values())):
        return not all(columns[place].numbers > 0.5 for place in cells)
    if any(_is_other_than(cell, columns[place]) for place, cell in names.items()):
        return True
    # Short cells, like identifiers, above text that is far longer.
    longest = max(profile.characters for profile in columns.values())
    plain = all(cell.isidentifier() for cell in names.values())
    return plain and max(map(len, names.values())) < longest / 2


def unique_names(first: Row) -> list[str | int]:
    """The names of columns in a header; of an empty one, or one that was there before, its position.

    >>> unique_names({0: "", 1: "text", 2: "label", 3: "label"})
    [0, 'text', 'label', 3]
    """
    names: list[str | int] = []
    for place, cell in enumerate(first.values()):
        name = str(cell).strip()
        names.append(name if name and name not in names else place)
    return names


def _is_count(cells: list[str]) -> bool:
    """Whether cells count from 0, as the names of a table without names are written."""
    return cells == [str(number) for number in range(len(cells))]


def _is_other_than(cell: str, column: Profile) -> bool:
    """Whether a cell is of another sort than all others of its column: no number, or none of its few classes."""
    if column.filled < _ENOUGH_ROWS:
        return False
    letters = any(c.isalpha() for c in cell)
    if letters and not is_machine(cell) and column.numbers + column.machine == 1:
        return True
    classes = len(column.counts) <= max(2, column.filled / 5) and min(column.counts.values()) > 1
    longest = max(map(len, column.counts))
    return classes and letters and longest <= 40 and len(cell) > longest
