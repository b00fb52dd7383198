"""Looks at a file: the kind of corpus that reads it, its columns, its labels and its texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.parsing import bad_character, parse_json
from textvae.text.corpora import FILE_KINDS
from textvae.text.corpora.files import Row, filled
from textvae.text.corpora.reading import read_lines, require_file
from textvae.text.inspect.columns import cell, has_header, label, label_column, renamed, text_column
from textvae.text.inspect.prose import MAX_SENTENCES, sentence_cutter
from textvae.text.inspect.report import FileReport
from textvae.text.inspect.statistics import text_statistics
from textvae.text.prose import HEAD

DEFAULT_KIND = "lines"
"""The kind of corpus for a file that no other kind recognizes."""

_FIRST_ROWS = 1000  # the number of rows by which the columns are recognized


def inspect_file(path: Path | str, max_examples: int = 200_000) -> FileReport:
    """Examine a file of any kind of corpus, also compressed by gzip, in one pass.

    Args:
        path: the file.
        max_examples: the largest number of rows to read, so that a file of any size takes seconds.

    Raises:
        DataError: the file is missing, empty, not UTF-8, or has no column that looks like text.
    """
    path = Path(path)
    require_file(path, "give a text, CSV, TSV or JSON-lines file")
    if (problem := bad_character(str(path.absolute()))) is not None:
        # The corpus card is UTF-8 and has to name the file.
        raise DataError(f"the path {shown_path(path)} holds {problem}; rename it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; give a file with one text a line, or a table.")
    kind = _kind(path)
    corpus = FILE_KINDS[kind].model_validate({"name": "file", "files": {"train": path.name}})
    columns: tuple[str | int, ...] = ()
    text_at: str | int | None = None
    label_at: str | int | None = None
    header: bool | None = None
    rows = corpus.rows(path)
    if rows is None:
        pairs: Iterator[tuple[str, str | None]] = corpus.read_file(path)
    else:
        first_rows = list(islice(rows, _FIRST_ROWS))
        if corpus.may_have_header:
            header = has_header(first_rows)
            names = [str(value) for value in first_rows[0].values()] if header else []
            if header:
                first_rows = [renamed(row, names) for row in first_rows[1:]]
                rows = (renamed(row, names) for row in rows)
        columns = tuple(dict.fromkeys(chain.from_iterable(first_rows)))
        text_at = text_column(path, first_rows, columns)
        label_at = label_column(first_rows, columns, text_at)
        pairs = _pairs(chain(first_rows, rows), text_at, label_at)
    cut = sentence_cutter(corpus, path) if rows is None else None
    if cut is not None:
        pairs = ((sentence, name) for text, name in pairs for sentence in cut(text))
        max_examples = min(max_examples, MAX_SENTENCES)
    labels: Counter[str] = Counter()
    texts = text_statistics(_counting(islice(pairs, max_examples), labels))
    complete = next(pairs, None) is None
    if texts is None:
        raise DataError(f"{path} holds no text: all its rows are empty; look at the file, or choose another column.")
    if complete and len(labels) < 2:
        label_at, labels = None, Counter()  # one label separates nothing
    return FileReport(
        path=path,
        kind=kind,
        header=header,
        columns=columns,
        text_column=text_at,
        label_column=label_at,
        label_counts=dict(labels.most_common()),
        complete=complete,
        texts=texts,
        split_sentences=cut is not None,
    )


def _pairs(rows: Iterable[Row], text_at: str | int, label_at: str | int | None) -> Iterator[tuple[str, str | None]]:
    return ((cell(row, text_at), label(row, label_at)) for row in rows)


def _counting(pairs: Iterable[tuple[str, str | None]], labels: Counter[str]) -> Iterator[str]:
    """The texts; the labels of those that are not empty are counted."""
    for text, name in pairs:
        if name is not None and text.strip():
            labels[name] += 1
        yield text


def _kind(path: Path) -> str:
    """The kind of corpus that reads a file: by the extension, else by the first lines."""
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    for name, kind in FILE_KINDS.items():
        if ending in kind.endings:
            return name
    first = [line for _, line in islice(read_lines(path), HEAD)]
    for name, kind in reversed(FILE_KINDS.items()):
        if filled(first, 1) and kind.looks_like(first):
            return name
    if ending == ".json":
        try:
            parse_json("".join(filled(first, 1)), str(path), DataError)
        except DataError:
            raise DataError(f"{path} is JSON, but not one object a line; write it as JSON lines.") from None
    return DEFAULT_KIND
