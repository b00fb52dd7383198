"""The columns of a table: its header, and which column is the text, the labels and the split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.text.corpora.base import Split
from textvae.text.corpora.files import Row
from textvae.text.inspect.columns import names_of_splits, rank_labels, rank_splits, rank_texts, split_names
from textvae.text.inspect.header import has_header, unique_names
from textvae.text.inspect.profile import Profile, profiles
from textvae.text.inspect.report import Wanted
from textvae.text.inspect.sample import Bounded, spread

_SAMPLE, _MOST = 2000, 0.8
NONE = "none"
"""The name with which a user says that there is no such column."""


@dataclass(frozen=True)
class Table:
    """A table's columns and their roles; see `FileReport`."""

    header: bool | None
    columns: tuple[str | int, ...]
    text: str | int
    label: str | int | None
    split: str | int | None
    split_names: dict[Split, list[str]]
    second_text: str | int | None
    second_label: str | int | None
    long_rows: int


def look_at_table(
    path: Path, rows: Iterator[Row], may_have_header: bool, wanted: Wanted, most: int, characters: int
) -> Table:
    """Find the columns of a table, by rows spread over the beginning of a file.

    Args:
        path: the file, for messages.
        rows: of the file.
        may_have_header: whether the first row may name the columns.
        wanted: what the user says.
        most: number of rows that are read, at most.
        characters: number of characters that are read, about, at most.

    Raises:
        DataError: no column has text, or a column that is wanted is not there.
    """
    first = next(rows, None) if may_have_header else None
    long_rows = wider = read = 0

    def counted() -> Iterator[Row]:
        nonlocal long_rows, wider, read
        bounded = Bounded(rows, most, characters)
        for row in bounded:
            bounded.spend(sum(len(cell) for cell in row.values() if isinstance(cell, str)))
            read += 1
            if first is not None and len(row) > len(first):
                long_rows += 1
                wider += any(str(cell).strip() for cell in list(row.values())[len(first) :])
            yield row

    sample = spread(counted(), _SAMPLE)
    header: bool | None = None
    if first is not None:
        header = has_header(first, sample)
        if header:
            names = unique_names(first)
            sample = [_renamed(row, names) for row in sample]
            columns = tuple(names)
            if not sample:
                raise DataError(f"{shown_path(path)} has a header and no row below it; give a file with texts.")
        else:
            sample = [first, *sample]
            columns = tuple(dict.fromkeys(chain.from_iterable(sample)))
    else:
        columns = tuple(dict.fromkeys(chain.from_iterable(sample)))
    if first is not None and sample and wider >= _MOST * read:
        raise _short_first_row(path, first)
    looked = profiles(sample, columns)
    texts = rank_texts(looked)
    text = _wanted(path, wanted.text, columns, "--text") if wanted.text is not None else texts.first
    if text is None:
        raise DataError(
            f"{shown_path(path)} has no column with text; its columns are {', '.join(map(repr, columns)) or 'none'}."
        )
    labels = rank_labels(looked, text)
    if first is not None and not header and text not in first:
        raise _short_first_row(path, first)
    label = _optional(path, wanted.label, columns, "--label", labels.first)
    split = _optional(path, wanted.split, columns, "--split", rank_splits(looked, text).first)
    if wanted.label is not None and label == text:
        raise DataError(f"--label got {label!r}, which is the column of the text; give another one, or none.")
    if split is not None and split in (text, label):
        if wanted.split is not None:
            raise DataError(f"--split got {split!r}, which is the column of the text or the labels; give another one.")
        split = None
    return Table(
        header=header,
        columns=columns,
        text=text,
        label=label,
        split=split,
        split_names=_names(path, looked, split, wanted.split_names),
        second_text=next((column for column in texts.columns if column not in (text, label, split)), None),
        second_label=next((column for column in labels.columns if column not in (text, label, split)), None),
        long_rows=long_rows if header else 0,
    )


def _short_first_row(path: Path, first: Row) -> DataError:
    """The error for a table whose first row is a title, or a header that lacks a name."""
    return DataError(
        f"{shown_path(path)} has {len(first)} cells in its first row, and more in others; delete what is above the "
        "table, complete that row, or put quotes around cells that hold the delimiter."
    )


def _wanted(path: Path, given: str | int, columns: Sequence[str | int], option: str) -> str | int:
    """The column that a user names, by its name or its position."""
    if isinstance(given, str) and given in columns:
        return given
    if str(given).isdecimal() and int(given) < len(columns):
        return columns[int(given)]
    shown = ", ".join(map(repr, columns[:20])) or "none"
    raise DataError(f"{shown_path(path)} has no column {given!r}; its columns are {shown}; give {option} one of them.")


def _optional(
    path: Path, given: str | int | None, columns: Sequence[str | int], option: str, found: str | int | None
) -> str | int | None:
    if given is None:
        return found
    if given == NONE and NONE not in columns:
        return None
    return _wanted(path, given, columns, option)


def _names(
    path: Path, looked: Sequence[Profile], split: str | int | None, wanted: Mapping[Split, list[str]] | None
) -> dict[Split, list[str]]:
    """The values of the split column that mean each split."""
    if split is None:
        return {}
    if wanted is not None:
        return dict(wanted)
    column = next(profile for profile in looked if profile.column == split)
    found = split_names(column) or names_of_splits(column.counts)
    if "train" not in found:
        values = ", ".join(map(repr, sorted(column.counts)[:10])) or "none"
        raise DataError(
            f"{shown_path(path)}, column {split!r} has the values {values}, and none of them means train; give --split "
            "a column with train and test in it, or none."
        )
    return found


def _renamed(row: Row, names: Sequence[str | int]) -> Row:
    return {names[place]: cell for place, cell in row.items() if isinstance(place, int) and place < len(names)}
