"""What was found in a file of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textvae.text.corpora.base import Split
from textvae.text.inspect.statistics import TextStatistics


@dataclass(frozen=True)
class Wanted:
    """What a user says about a file; it overrules what is found in it.

    Attributes:
        text: the column of the text, by its name, its position or its dotted path; None to look for it.
        label: the column of the labels, in the same way; ``none`` for no labels where no column has that name.
        split: the column of the split; ``none`` likewise.
        delimiter: the character between cells, or ``tab``.
        no_label: values that mean no label.
        split_names: the values of the column of the split for each split; None to look for them.
        every_label: whether every value but those of `no_label` is a label, however rare, and all of them are for
            training a classifier: no label is too rare, and none is kept for a test.
    """

    text: str | int | None = None
    label: str | int | None = None
    split: str | int | None = None
    delimiter: str | None = None
    no_label: tuple[str, ...] = ()
    split_names: Mapping[Split, list[str]] | None = None
    every_label: bool = False


@dataclass(frozen=True)
class FileReport:
    """What `inspect_file` found in a file.

    Attributes:
        path: the file.
        kind: the kind of corpus that reads it.
        header: whether the first line names the columns; None for a file without columns.
        columns: names of the columns, or their positions.
        text_column: the column that seems to contain the text; None for a file without columns.
        label_column: the column that seems to contain labels; None if there is none.
        label_counts: number of texts of each label, the most frequent first. Values that are no label are left out.
        complete: whether the whole file was read; if false, the counts are those of the rows that were read.
        texts: statistics of the texts.
        settings: of the card beside the columns, such as its delimiter.
        split_sentences: whether the texts are those of a book or article, which are cut into sentences.
        encoding: of the file, such as ``utf-8``.
        rows_estimate: number of texts in the whole file: counted, or estimated by the share of the file that was read.
        split_column: the column that says which split a row belongs to; None if there is none.
        split_names: its values for each split.
        split_counts: number of rows of each of its values.
        no_label: values of the label column that mean no label, beside empty cells, and in how many rows each is.
        labels: the values that are labels, where others are too rare to be; None for all.
        unlabelled: number of texts without a label.
        rare: number of texts of each label that is too rare.
        perhaps_no_label: number of texts with the label -1, where that may mean no label.
        one_label: the only value of the label column, where there are no others; it separates nothing.
        second_text: the column that came second for the text.
        second_label: the column that came second for the labels.
        long_rows: number of rows with more cells than there are columns.
        every_label: as of `Wanted`.
    """

    path: Path
    kind: str
    header: bool | None
    columns: tuple[str | int, ...]
    text_column: str | int | None
    label_column: str | int | None
    label_counts: dict[str, int]
    complete: bool
    texts: TextStatistics
    settings: Mapping[str, object] = field(default_factory=dict)
    split_sentences: bool = False
    encoding: str = "utf-8"
    rows_estimate: int = 0
    split_column: str | int | None = None
    split_names: Mapping[Split, list[str]] = field(default_factory=dict)
    split_counts: Mapping[str, int] = field(default_factory=dict)
    no_label: Mapping[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    unlabelled: int = 0
    rare: Mapping[str, int] = field(default_factory=dict)
    perhaps_no_label: int = 0
    one_label: str | None = None
    second_text: str | int | None = None
    second_label: str | int | None = None
    long_rows: int = 0
    every_label: bool = False
