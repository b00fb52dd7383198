"""What was found in a file of texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textvae.text.inspect.statistics import TextStatistics


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
        label_counts: number of texts of each label, the most frequent first.
        complete: whether the whole file was read; if false, the counts are those of the first `max_examples` rows.
        texts: statistics of the texts; of their sentences with `split_sentences`.
        split_sentences: whether the texts are prose, which is cut into sentences.
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
    split_sentences: bool = False
