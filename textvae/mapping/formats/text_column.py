"""Which column of a file holds the text, by its first rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textvae.errors import DataError
from textvae.text.corpora.files import Row
from textvae.text.inspect.report import Wanted
from textvae.text.inspect.table import Table, look_at_table

LOOKED_AT = 2000
"""Rows of a file that are looked at."""
_CHARACTERS = 4_000_000


def find_text(path: Path, rows: Iterator[Row], *, may_have_header: bool = False, column: str | None = None) -> Table:
    """The columns of a file, as `textvae new` finds them.

    Args:
        path: the file, for messages.
        rows: of the file, from the first one on.
        may_have_header: whether the first row may name the columns.
        column: the one with the text, if the user names it.

    Raises:
        DataError: no column has text, or the one that is named is not there.
    """
    try:
        return look_at_table(path, rows, may_have_header, Wanted(text=column), LOOKED_AT, _CHARACTERS)
    except DataError as error:
        # `textvae new` calls the option --text.
        raise DataError(str(error).replace("give --text one of them", "give --column one of them")) from None
