"""The base of tables: texts, labels and splits in columns."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import Field, model_validator

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.text.corpora.base import SPLITS, Example, Split
from textvae.text.corpora.files import FileCorpus


class Cells(NamedTuple):
    """The cells of a row that a corpus uses, as text; an empty cell is no label, or no split."""

    text: str
    label: str | None
    split: str | None


class TableCorpus(FileCorpus):
    """Settings that all tables share. A column is given by its name, or by its position, from 0.

    Attributes:
        text_column: the column with the text.
        label_column: the column with the label; None for no labels. An empty cell, null and NaN are no label.
        no_label: further values that are no label, such as ``["NA"]``.
        labels: the values that are labels, where others are to count as no label; None for all.
        split_column: the column that says which split a row belongs to; None where it is not in the file.
        split_names: its values for each split, such as ``{train = ["train"], test = ["test"]}``. Rows with other
            values are left out.
    """

    text_column: str | int = "text"
    label_column: str | int | None = None
    no_label: list[str] = Field(default_factory=list)
    labels: list[str] | None = None
    split_column: str | int | None = None
    split_names: dict[Split, list[str]] = Field(default_factory=dict)

    example_settings: ClassVar[Mapping[str, str]] = {"label_column": "label"}
    later: ClassVar[frozenset[str]] = FileCorpus.later | {"no_label", "labels", "split_column", "split_names"}

    @abstractmethod
    def cells(self, path: Path) -> Iterator[Cells]:
        """The text, the label and the split of every row of a file; labels are not filtered.

        Raises:
            DataError: a column is missing, or the file is damaged; the message names file and line.
        """

    @model_validator(mode="after")
    def _splits_are_named(self) -> TableCorpus:
        if (self.split_column is not None) != bool(self.split_names):
            raise ValueError("split_column and split_names must be given together, or neither")
        if self.split_names:
            if set(self.files) != {"train"}:
                raise ValueError("files must name the train split alone where split_column divides it")
            if not self.split_names.get("train"):
                raise ValueError("split_names must say which values mean train")
        return self

    @property
    def has_labels(self) -> bool:
        return self.label_column is not None

    @property
    def own_splits(self) -> tuple[Split, ...]:
        return tuple(split for split in SPLITS if self.split_names.get(split)) or super().own_splits

    def read_source(self, split: Split) -> Iterator[Example]:
        if self.split_column is None:
            yield from super().read_source(split)
            return
        wanted = frozenset(self.split_names[split])
        label_of = self.label_rule()
        for path in self.checked_paths("train"):
            for text, label, value in self.cells(path):
                if value in wanted:
                    yield Example(text, label_of(label))

    def read_file(self, path: Path) -> Iterator[Example]:
        label_of = self.label_rule()
        for text, label, _ in self.cells(path):
            yield Example(text, label_of(label))

    def label_rule(self) -> Callable[[str | None], str | None]:
        """The function from a cell's text to the label it means; None for no label."""
        none, known = frozenset(self.no_label), None if self.labels is None else frozenset(self.labels)
        if not none and known is None:
            return lambda value: value
        return lambda value: None if value in none or (known is not None and value not in known) else value


def no_column(path: Path, column: str | int, present: Sequence[str], which: str) -> DataError:
    """The error for a column that a file does not have."""
    shown = ", ".join(repr(name) for name in present[:20]) or "none"
    return DataError(
        f"{shown_path(path)} has no column {column!r}; its columns are {shown}; set {which} of the card to one of them."
    )


def label_text(value: object) -> str | None:
    """A label as text; None, NaN and blank strings mean "no label".

    >>> label_text(3), label_text(" pos "), label_text(""), label_text(float("nan")), label_text("NaN")
    ('3', 'pos', None, None, None)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    return None if text in ("", "nan", "NaN", "NAN") else text
