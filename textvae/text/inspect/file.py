"""Looks at a file: the kind of corpus that reads it, its columns, its labels and its texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.parsing import bad_character
from textvae.text.corpora import FILE_KINDS, FileCorpus, TableCorpus
from textvae.text.corpora.encoding import watched
from textvae.text.corpora.reading import read_beginning, require_file
from textvae.text.corpora.tables import Cells
from textvae.text.inspect.kind import DEFAULT_KIND, delimiter_of, kind_of
from textvae.text.inspect.labels import frequent_labels, may_be_missing, missing_marks
from textvae.text.inspect.prose import MAX_SENTENCES, sentence_cutter
from textvae.text.inspect.report import FileReport, Wanted
from textvae.text.inspect.sample import Bounded
from textvae.text.inspect.statistics import text_statistics
from textvae.text.inspect.table import Table, look_at_table

MAX_ROWS, MAX_CHARACTERS = 150_000, 15_000_000
"""Rows and characters that are read of a file, at most, so that a file of any size takes seconds."""
_MORE_LABELS, _ENOUGH_LABELS = 800_000, 600

__all__ = ["DEFAULT_KIND", "inspect_file"]


def inspect_file(path: Path | str, max_examples: int = MAX_ROWS, wanted: Wanted | None = None) -> FileReport:
    """Examine a file of any kind of corpus, also compressed by gzip. What is found is what its corpus will read.

    Args:
        path: the file.
        max_examples: the largest number of rows to read; `MAX_CHARACTERS` bounds them too.
        wanted: what the user says about the file.

    Raises:
        DataError: the file is missing, empty, no text, or has no column that looks like text or none that is wanted.
    """
    path, wanted = Path(path), wanted or Wanted()
    require_file(path, "give a text, CSV, TSV or JSON file")
    if (problem := bad_character(str(path.absolute()))) is not None:
        # The corpus card is UTF-8 and has to name the file.
        raise DataError(f"the path {shown_path(path)} holds {problem}; rename it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; give a file with one text a line, or a table.")
    lines, encoding = read_beginning(path)
    delimiter = None if wanted.delimiter is None else delimiter_of(wanted.delimiter)
    kind, settings = kind_of(path, lines, delimiter)
    card: dict[str, Any] = {"name": "file", "files": {"train": path.name}, **settings}
    corpus = FILE_KINDS[kind].model_validate(card)
    table: Table | None = None
    if (rows := corpus.rows(path)) is not None:
        table = look_at_table(path, rows, corpus.may_have_header, wanted, max_examples, MAX_CHARACTERS)
        card |= {"text_column": table.text, "label_column": table.label}
        card |= {} if table.header is None else {"header": table.header}
        card |= {} if table.split is None else {"split_column": table.split, "split_names": table.split_names}
        corpus = FILE_KINDS[kind].model_validate(card)
    elif (option := _column_wanted(wanted)) is not None:
        raise DataError(f"{shown_path(path)} has no columns, only lines; leave out {option}, or name its --delimiter.")
    return _report(path, kind, settings, encoding, corpus, table, max_examples, wanted)


def _report(
    path: Path,
    kind: str,
    settings: Any,
    encoding: str,
    corpus: FileCorpus,
    table: Table | None,
    most: int,
    wanted: Wanted,
) -> FileReport:
    """Read the file as its corpus does, and count."""
    counts: Counter[str | None] = Counter()
    splits: Counter[str] = Counter()
    known = {value for values in table.split_names.values() for value in values} if table and table.split else None
    cut = sentence_cutter(corpus, path) if table is None else None
    with watched() as watch:
        read = _cells(corpus, path)
        if cut is not None:
            read = (Cells(sentence, label, None) for text, label, _ in read for sentence in cut(text))
            most = min(most, MAX_SENTENCES)
        cells = Bounded(read, most, MAX_CHARACTERS)
        texts = text_statistics(_counting(cells, counts, splits, known))
        complete, share = cells.complete, watch.read / max(1, watch.size)
        if table is not None and table.label is not None and not complete and len(counts) == 1:
            _look_for_second_label(cells, counts)
    if texts is None:
        raise DataError(f"{path} holds no text: all its rows are empty; look at the file, or choose another column.")
    unlabelled = counts.pop(None, 0)
    labels: Counter[str] = Counter({value: count for value, count in counts.items() if value is not None})
    label_column = None if table is None else table.label
    marks = [*wanted.no_label] if wanted.every_label else missing_marks(labels, wanted.no_label)
    marks = marks if label_column is not None else []
    no_label = {value: labels.pop(value, 0) for value in marks}
    one_label = None
    if complete and len(labels) < 2 and label_column is not None:
        one_label = next(iter(labels), "")
        label_column, labels, no_label = None, Counter(), {}  # one label separates nothing
    frequent = None if label_column is None or wanted.every_label else frequent_labels(labels)
    rare = {} if frequent is None else {value: labels.pop(value) for value in sorted(set(labels) - set(frequent))}
    return FileReport(
        path=path,
        kind=kind,
        header=table.header if table else None,
        columns=table.columns if table else (),
        text_column=table.text if table else None,
        label_column=label_column,
        label_counts=dict(labels.most_common()),
        complete=complete,
        texts=texts,
        settings=settings,
        split_sentences=cut is not None,
        encoding=encoding,
        rows_estimate=texts.count if complete else max(texts.count, round(texts.count / max(share, 1e-9))),
        split_column=table.split if table else None,
        split_names=table.split_names if table else {},
        split_counts=dict(splits),
        no_label=no_label,
        labels=None if frequent is None else tuple(frequent),
        unlabelled=unlabelled + sum(no_label.values()) + sum(rare.values()),
        rare=rare,
        perhaps_no_label=may_be_missing(labels),
        one_label=one_label,
        second_text=table.second_text if table else None,
        second_label=table.second_label if table else None,
        long_rows=table.long_rows if table else 0,
        every_label=wanted.every_label,
    )


def _cells(corpus: FileCorpus, path: Path) -> Iterator[Cells]:
    if isinstance(corpus, TableCorpus):
        return corpus.cells(path)
    return (Cells(text, label, None) for text, label in corpus.read_file(path))


def _counting(
    cells: Bounded[Cells], counts: Counter[str | None], splits: Counter[str], known: set[str] | None
) -> Iterator[str]:
    """The texts of the rows that belong to a split; the labels of those that are not empty are counted."""
    for text, label, split in cells:
        cells.spend(len(text))
        if known is not None:
            splits[split or ""] += 1
            if split not in known:
                continue
        if text.strip():
            counts[label] += 1
        yield text


def _look_for_second_label(cells: Bounded[Cells], counts: Counter[str | None]) -> None:
    """Read on in a file that is sorted by label, until a second one is frequent."""
    known = set(counts)
    for text, label, _ in cells.further(_MORE_LABELS):
        if text.strip():
            counts[label] += 1
            if label not in known and counts[label] >= _ENOUGH_LABELS:
                return


def _column_wanted(wanted: Wanted) -> str | None:
    given = (("--text", wanted.text), ("--label", wanted.label), ("--split", wanted.split))
    return next((option for option, column in given if column not in (None, "none")), None)
