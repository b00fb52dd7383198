"""Examine a user's file: its kind, its text and label columns, lengths, vocabulary.

`textvae new FILE` writes a recipe and a corpus card from these findings.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.parsing import bad_character, parse_json
from textvae.text.corpora import FILE_KINDS
from textvae.text.corpora.files import Row
from textvae.text.corpora.reading import read_lines, require_file
from textvae.text.corpora.tables import label_text
from textvae.text.normalize import normalize

DEFAULT_KIND = "lines"
"""The kind of corpus for a file that no other kind recognizes."""

_FIRST_ROWS = 1000  # the number of rows by which the columns are recognized
_QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)
_COVERAGES = (0.9, 0.95, 0.98, 0.99)
_TEXT_NAMES = ("text", "sentence", "review", "content", "body", "comment", "message", "document", "question", "title")
_LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "tag", "topic", "rating", "y")


@dataclass(frozen=True)
class FileReport:
    """What `inspect_file` found in a file, and the settings it proposes.

    Attributes:
        path: the file.
        kind: the kind of corpus that reads it.
        header: whether the first line names the columns; None for a file without columns.
        columns: names of the columns, or their positions.
        text_column: the column that seems to contain the text; None for a file without columns.
        label_column: the column that seems to contain labels; None if there is none.
        label_counts: number of texts of each label, the most frequent first.
        examples: number of texts, without empty ones.
        distinct: number of different texts among them.
        empty: number of empty texts.
        complete: whether the whole file was read; if false, the counts are those of the first `max_examples` rows.
        words_quantiles: quantiles of the number of words in a text, at 0.5, 0.9, 0.95, 0.99 and 1 (of the number of
            characters if there are no spaces).
        characters_median: median number of characters in a text.
        vocabulary: number of different words.
        vocabulary_at: number of most frequent words that cover 0.9, 0.95, 0.98 and 0.99 of all words.
        has_spaces: whether spaces separate words; if not, a subword tokenizer is needed.
        tokenized: whether spaces already separate punctuation from words.
        lowercase: whether all text is in lower case.
        tokenizer: proposed kind of tokenizer.
        split: proposed `split` of a word tokenizer, else None.
        max_tokens: proposed longest sentence, at most 64.
        vocab_size: proposed size of the vocabulary.
    """

    path: Path
    kind: str
    header: bool | None
    columns: tuple[str | int, ...]
    text_column: str | int | None
    label_column: str | int | None
    label_counts: dict[str, int]
    examples: int
    distinct: int
    empty: int
    complete: bool
    words_quantiles: dict[float, int]
    characters_median: int
    vocabulary: int
    vocabulary_at: dict[float, int]
    has_spaces: bool
    tokenized: bool
    lowercase: bool
    tokenizer: str
    split: str | None
    max_tokens: int
    vocab_size: int


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
    text_column: str | int | None = None
    label_column: str | int | None = None
    header: bool | None = None
    rows = corpus.rows(path)
    if rows is None:
        pairs: Iterator[tuple[str, str | None]] = corpus.read_file(path)
    else:
        first_rows = list(islice(rows, _FIRST_ROWS))
        if corpus.may_have_header:
            header = _has_header(first_rows)
            names = [str(cell) for cell in first_rows[0].values()] if header else []
            if header:
                first_rows = [_renamed(row, names) for row in first_rows[1:]]
                rows = (_renamed(row, names) for row in rows)
        columns = tuple(dict.fromkeys(chain.from_iterable(first_rows)))
        text_column = text_at = _text_column(path, first_rows, columns)
        label_column = label_at = _label_column(first_rows, columns, text_column)
        pairs = ((_cell(row, text_at), _label(row, label_at)) for row in chain(first_rows, rows))
    return _measure(path, kind, header, columns, text_column, label_column, pairs, max_examples)


def _measure(
    path: Path,
    kind: str,
    header: bool | None,
    columns: tuple[str | int, ...],
    text_column: str | int | None,
    label_column: str | int | None,
    pairs: Iterator[tuple[str, str | None]],
    max_examples: int,
) -> FileReport:
    words: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    lengths: list[int] = []
    characters: list[int] = []
    different: set[int] = set()
    empty = lowered = 0
    for text, label in islice(pairs, max_examples):
        text = normalize(text)
        if not text:
            empty += 1
            continue
        different.add(hash(text))
        cut = text.split(" ")
        words.update(cut)
        lengths.append(len(cut))
        characters.append(len(text))
        lowered += text == text.lower()
        if label is not None:
            labels[label] += 1
    complete = next(pairs, None) is None
    if not lengths:
        raise DataError(f"{path} holds no text: {empty} rows, all empty; look at the file, or choose another column.")
    if complete and len(labels) < 2:
        label_column, labels = None, Counter()  # one label separates nothing
    # In a language without spaces, the "words" between spaces are whole sentences.
    has_spaces = sum(characters) / sum(lengths) < 15
    units = lengths if has_spaces else characters
    tokenized = has_spaces and _is_tokenized(words)
    quantiles = {q: int(np.quantile(units, q, method="higher")) for q in _QUANTILES}
    counts = sorted(words.values(), reverse=True)
    covered = np.cumsum(counts) / sum(counts)
    vocabulary_at = {c: int(np.searchsorted(covered, c - 1e-12) + 1) for c in _COVERAGES}
    # The rule "words" splits off punctuation and clitics, so a text has more tokens than words.
    stretch = 1.0 if tokenized or not has_spaces else 1.25
    if has_spaces:
        vocab_size = min(20_000, max(200, _rounded(vocabulary_at[0.98])))
    else:
        vocab_size = 8000 if len(lengths) > 2000 else 2000
    return FileReport(
        path=path,
        kind=kind,
        header=header,
        columns=columns,
        text_column=text_column,
        label_column=label_column,
        label_counts=dict(labels.most_common()),
        examples=len(lengths),
        distinct=len(different),
        empty=empty,
        complete=complete,
        words_quantiles=quantiles,
        characters_median=int(np.median(characters)),
        vocabulary=len(words),
        vocabulary_at=vocabulary_at,
        has_spaces=has_spaces,
        tokenized=tokenized,
        lowercase=lowered == len(lengths),
        tokenizer="word" if has_spaces else "sentencepiece",
        split=("whitespace" if tokenized else "words") if has_spaces else None,
        max_tokens=min(64, max(8, math.ceil(quantiles[0.95] * stretch))),
        vocab_size=vocab_size,
    )


def _kind(path: Path) -> str:
    """The kind of corpus that reads a file: by the extension, else by the first lines."""
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    for name, kind in FILE_KINDS.items():
        if ending in kind.endings:
            return name
    first = [line for _, line in islice(read_lines(path), 20) if line.strip()]
    for name, kind in reversed(FILE_KINDS.items()):
        if first and kind.looks_like(first):
            return name
    if ending == ".json":
        try:
            parse_json(first[0] if first else "", str(path), DataError)
        except DataError:
            raise DataError(f"{path} is JSON, but not one object a line; write it as JSON lines.") from None
    return DEFAULT_KIND


def _renamed(row: Row, names: list[str]) -> Row:
    return {names[place]: cell for place, cell in row.items() if isinstance(place, int) and place < len(names)}


def _has_header(first_rows: list[Row]) -> bool:
    """Whether the first row is a header: short, distinct cells that are known names or do not recur in their column."""
    if len(first_rows) < 2:
        return False
    first, rest = first_rows[0], first_rows[1:]
    cells = [str(cell).strip() for cell in first.values()]
    if len(set(cells)) < len(cells) or not all(cells) or any(len(cell.split()) > 3 for cell in cells):
        return False
    if any(cell.lower() in _TEXT_NAMES + _LABEL_NAMES for cell in cells):
        return True
    if any(cell in {row.get(place) for row in rest} for place, cell in first.items()):
        return False
    # Without a known name, take the first row for a header if it is far shorter than the text below it.
    longest = max(float(np.mean([len(_cell(row, place)) for row in rest])) for place in first)
    return max(map(len, cells)) < longest / 2 and all(cell.isidentifier() for cell in cells)


def _cell(row: Row, column: str | int) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


def _label(row: Row, column: str | int | None) -> str | None:
    return None if column is None else label_text(row.get(column))


def _text_column(path: Path, first_rows: list[Row], columns: tuple[str | int, ...]) -> str | int:
    """The column of the longest texts, or one with a typical name if its texts are at least a quarter as long."""
    mean = {column: float(np.mean([len(_cell(row, column)) for row in first_rows])) for column in columns}
    if not mean or max(mean.values()) == 0:
        raise DataError(f"{path} has no column with text; its columns are {', '.join(map(repr, columns)) or 'none'}.")
    longest = max(mean.values())
    for name in _TEXT_NAMES:
        for column in columns:
            if str(column).lower() == name and mean[column] >= longest / 4:
                return column
    return max(mean, key=mean.__getitem__)


def _label_column(first_rows: list[Row], columns: tuple[str | int, ...], text: str | int) -> str | int | None:
    """A column of few, short, repeated values: one with a typical name, else the one with the fewest values."""
    candidates = []
    for column in columns:
        values = [value for row in first_rows if (value := label_text(row.get(column))) is not None]
        distinct = set(values)
        named = str(column).lower() in _LABEL_NAMES
        # Many published files are sorted by label, so the first rows of a label column may all have the same one.
        few = (1 if named else 2) <= len(distinct) <= min(50, max(2, len(values) // 4))
        if column != text and few and max(map(len, distinct)) <= 40:
            candidates.append((not named, len(distinct), columns.index(column), column))
    return min(candidates)[3] if candidates else None


def _is_tokenized(words: Counter[str]) -> bool:
    """Whether most punctuation marks are words of their own, as in tokenized text; `<unk>` is proof of it."""
    alone = sum(words[mark] for mark in (".", ",", "!", "?"))
    stuck = sum(n for word, n in words.items() if len(word) > 1 and word[-1] in ".,!?")
    return alone > 4 * stuck or (alone + stuck == 0 and words["<unk>"] > 0) or words["<unk>"] > 0


def _rounded(size: int) -> int:
    """Round up to two significant digits: 3817 becomes 3900."""
    step = 10 ** max(0, len(str(size)) - 2)
    return math.ceil(size / step) * step
