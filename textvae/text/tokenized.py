"""Tokenized corpora on disk: one Arrow file for each split, read through a memory map.

The file is an Arrow IPC file with a single record batch of one row a sentence and the columns
``ids`` (large_list<int32>, without BOS and EOS), ``label`` (int64, -1 for none), ``words`` (int32, white-space
words of the text) and ``text`` (large_string, normalized). A single batch makes the ids one flat buffer, from
which numpy gathers any sentences at once. Any Arrow library reads it.
"""

from __future__ import annotations

import json
import operator
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any, ClassVar, Literal, SupportsIndex

import numpy as np
import pyarrow as pa

from textvae.config import Config
from textvae.disk import FreshFolder, atomic_path, machine_errors, not_ours, problem_of_file, sweep
from textvae.errors import DataError
from textvae.text.batching import gather_batch
from textvae.text.corpora.base import Example
from textvae.text.normalize import normalize
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import NO_LABEL, UNK_ID, Batch

FORMAT_VERSION = 1
_METADATA = b"textvae"
_CHUNK = 2048
_ENDS = 64
"""Characters of a word at which the text of a cut row is tried to end."""

Overlong = Literal["truncate", "window", "error"]


class SplitReport(Config):
    """Counts of what was written for a split, and of what was left out.

    Attributes:
        sentences: rows written.
        tokens: ids written, BOS and EOS not counted (a model predicts ``tokens + sentences`` of them, as EOS is one).
        words: white-space words of the texts written.
        characters: characters of the texts written.
        empty: examples without a word, left out.
        overlong: examples of more than `max_tokens` tokens, truncated or cut into windows.
        unknown_tokens: ids that are ``<unk>``.
        longest: tokens of the longest row.
        unknown_labels: texts whose label is not among the label names, which have no label here.
    """

    sentences: int
    tokens: int
    words: int
    characters: int
    empty: int
    overlong: int
    unknown_tokens: int
    longest: int
    unknown_labels: int = 0


class _Columns:
    """The columns of the Arrow file, appended to files on disk, so that a corpus larger than memory can be written."""

    _TYPES: ClassVar[dict[str, Any]] = {
        "ids": np.int32,
        "offsets": np.int64,
        "labels": np.int64,
        "words": np.int32,
        "ends": np.int64,
    }

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {name: (folder / name).open("wb") for name in (*self._TYPES, "text")}
        self._counts = {"ids": 0, "text": 0}
        self.append("offsets", [0])
        self.append("ends", [0])

    def append(self, name: str, values: Any) -> None:
        self._files[name].write(np.asarray(values, dtype=self._TYPES[name]).tobytes())

    def append_rows(self, rows: Sequence[Sequence[int]], texts: Sequence[str], labels: Sequence[int]) -> None:
        encoded = [text.encode("utf-8") for text in texts]
        self.append("ids", np.fromiter((i for row in rows for i in row), dtype=np.int32))
        self._files["text"].write(b"".join(encoded))
        for name, ends, lengths in (("ids", "offsets", map(len, rows)), ("text", "ends", map(len, encoded))):
            bounds = self._counts[name] + np.cumsum(np.fromiter(lengths, dtype=np.int64))
            self.append(ends, bounds)
            self._counts[name] = int(bounds[-1]) if len(bounds) else self._counts[name]
        self.append("labels", labels)
        self.append("words", [len(text.split()) for text in texts])

    def finish(self, path: Path, rows: int, metadata: dict[str, Any]) -> None:
        for file in self._files.values():
            file.close()
        buffers = {name: pa.memory_map(str(self._folder / name)).read_buffer() for name in self._files}
        values = pa.Array.from_buffers(pa.int32(), self._counts["ids"], [None, buffers["ids"]])
        columns = {
            "ids": pa.Array.from_buffers(
                pa.large_list(pa.field("item", pa.int32(), nullable=False)),
                rows,
                [None, buffers["offsets"]],
                children=[values],
            ),
            "label": pa.Array.from_buffers(pa.int64(), rows, [None, buffers["labels"]]),
            "words": pa.Array.from_buffers(pa.int32(), rows, [None, buffers["words"]]),
            "text": pa.Array.from_buffers(pa.large_string(), rows, [None, buffers["ends"], buffers["text"]]),
        }
        schema = pa.schema(
            [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
            metadata={_METADATA: json.dumps(metadata).encode()},
        )
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def write_tokenized(
    path: Path | str,
    examples: Iterable[Example],
    tokenizer: Tokenizer,
    *,
    max_tokens: int,
    overlong: Overlong = "truncate",
    label_names: Sequence[str] | None = None,
) -> SplitReport:
    """Tokenize examples into an Arrow file, in constant memory; the file appears whole or not at all.

    Args:
        path: the file to write.
        examples: texts and labels, read once.
        tokenizer: text to ids.
        max_tokens: the largest number of ids in a row, BOS and EOS not counted.
        overlong: what is done with longer texts: ``truncate`` keeps the beginning, ``window`` writes consecutive
            pieces, each a row with the same label, ``error`` refuses. The text stored for a shortened row is its ids
            decoded; unknown words at the beginning of a text are stored as they are written.
        label_names: the labels, in the order of their ids; None writes no labels. A text with another label is written
            without one, and counted.

    Returns:
        counts of what was written.

    Raises:
        DataError: a text that is too long under ``error``, no text at all, or a file at `path` that textvae did not
            write.
        MachineError: the disk is full or broken.
    """
    path = Path(path)
    label_ids = None if label_names is None else {name: i for i, name in enumerate(label_names)}
    counts = dict.fromkeys(SplitReport.model_fields, 0)
    if os.path.lexists(path) and not _is_tokenized(path):
        raise not_ours(path, DataError)
    with machine_errors(path):
        sweep(path.parent)
        # Beside the result and not in /tmp, which may be too small for a large corpus.
        with FreshFolder(path.parent, "columns of a corpus") as folder, atomic_path(path) as part:
            columns = _Columns(folder.path)
            try:
                stream = iter(examples)
                while chunk := list(islice(stream, _CHUNK)):
                    rows, texts, labels = [], [], []
                    for ids, text, label in _rows(chunk, tokenizer, max_tokens, overlong, label_ids, counts):
                        rows.append(ids)
                        texts.append(text)
                        labels.append(label)
                        counts["sentences"] += 1
                        counts["tokens"] += len(ids)
                        counts["words"] += len(text.split())
                        counts["characters"] += len(text)
                        counts["unknown_tokens"] += ids.count(UNK_ID)
                        counts["longest"] = max(counts["longest"], len(ids))
                    columns.append_rows(rows, texts, labels)
                if not counts["sentences"]:
                    raise DataError(f"Not one sentence to write to {path.name}: {counts['empty']} examples, all empty.")
                report = SplitReport(**counts)
                metadata = {
                    "format_version": FORMAT_VERSION,
                    "label_names": None if label_names is None else list(label_names),
                    "report": report.model_dump(),
                }
                columns.finish(part, report.sentences, metadata)
            finally:
                columns.close()
    return report


def _is_tokenized(path: Path) -> bool:
    """Whether `write_tokenized` wrote a file."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        return _METADATA in (pa.ipc.open_file(pa.memory_map(str(path))).schema.metadata or {})
    except (pa.ArrowException, OSError):
        return False


def _rows(
    chunk: list[Example],
    tokenizer: Tokenizer,
    max_tokens: int,
    overlong: Overlong,
    label_ids: dict[str, int] | None,
    counts: dict[str, int],
) -> Iterator[tuple[list[int], str, int]]:
    """The rows of some examples, each (ids, text, label); adds to the counts `empty`, `overlong`, `unknown_labels`."""
    texts = [normalize(example.text) for example in chunk]
    for example, text, ids in zip(chunk, texts, tokenizer.encode_batch(texts), strict=True):
        label = NO_LABEL
        if ids and label_ids is not None and example.label is not None:
            label = label_ids.get(example.label, NO_LABEL)
            counts["unknown_labels"] += label == NO_LABEL
        if not ids:
            counts["empty"] += 1
        elif len(ids) <= max_tokens:
            yield ids, text, label
        elif overlong == "error":
            raise DataError(
                f"A text has {len(ids)} tokens, more than max_tokens = {max_tokens} ({text[:60]!r}...); raise "
                'max_tokens, or set overlong to "truncate" or "window".'
            )
        else:
            counts["overlong"] += 1
            last = len(ids) if overlong == "window" else max_tokens
            for start in range(0, last, max_tokens):
                piece = ids[start : start + max_tokens]
                yield piece, _text_of_piece(piece, text if start == 0 else None, tokenizer), label


def _text_of_piece(piece: list[int], text: str | None, tokenizer: Tokenizer) -> str:
    """The text to store for a piece of a longer text.

    It is the piece decoded. Where the piece has unknown words, and it is the beginning of `text`, it is the shortest
    beginning in whole words (characters, with a tokenizer of pieces) that encodes to the piece, so that these words
    are stored as they are written.
    """
    beginning = None if text is None or UNK_ID not in piece else _beginning(piece, text, tokenizer)
    return normalize(tokenizer.decode(piece)) if beginning is None else beginning


def _beginning(piece: list[int], text: str, tokenizer: Tokenizer) -> str | None:
    """The shortest beginning of a text that encodes to a piece, and possibly to more; None where none is found."""

    def tokens_until(end: int) -> int:
        return len(tokenizer.encode(text[:end]))

    ends = [*(place for place, letter in enumerate(text) if letter == " "), len(text)]
    # Only as much of a long text is encoded as is needed; the tokens grow with the words.
    reach = len(piece)
    while reach < len(ends) and tokens_until(ends[reach - 1]) < len(piece):
        reach *= 2
    word = bisect_left(ends[:reach], len(piece), key=tokens_until)
    if word == len(ends):
        return None
    begin, end = ends[word - 1] + 1 if word else 0, ends[word]
    tried: Iterable[int] = (end,)
    if tokenizer.splits_words:
        # A part of a word may have other pieces than the word, so several ends are tried; in a very long word only
        # those next to where the tokens are enough.
        inside = range(begin + 1, end + 1)
        if len(inside) > _ENDS:
            first = bisect_left(inside, len(piece), key=tokens_until)
            inside = inside[first : first + _ENDS]
        tried = inside
    return next((text[:at] for at in tried if tokenizer.encode(text[:at])[: len(piece)] == piece), None)


class TokenizedCorpus:
    """A split that `write_tokenized` wrote, memory-mapped: only the rows that are used are read from the disk.

    A pickle contains only the path, so that worker processes map the file themselves.

    Args:
        path: the Arrow file.

    Raises:
        DataError: the file is missing, truncated or not written by `write_tokenized`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._open()

    def _open(self) -> None:
        problem = problem_of_file(self.path)
        if problem is not None:
            raise DataError(f"{self.path} {problem}; run the tokenize stage first.")
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
            metadata = json.loads((reader.schema.metadata or {})[_METADATA])
            table = reader.get_batch(0)
        except (pa.ArrowException, OSError, KeyError, ValueError):
            raise DataError(
                f"{self.path} is no tokenized corpus, or a truncated one; tokenize the corpus again."
            ) from None
        if metadata.get("format_version") != FORMAT_VERSION:
            got = metadata.get("format_version")
            raise DataError(
                f"{self.path} has format version {got}, expected {FORMAT_VERSION}; tokenize the corpus again."
            )
        ids = table.column("ids")
        self._offsets = np.frombuffer(ids.buffers()[1], dtype=np.int64, count=len(table) + 1 if len(table) else 0)
        self._flat = ids.values.to_numpy(zero_copy_only=True)
        self._texts = table.column("text")
        self._labels = table.column("label").to_numpy(zero_copy_only=True)
        self._words = table.column("words")
        names = metadata["label_names"]
        self._has_labels = names is not None
        self.label_names: tuple[str, ...] = tuple(names or ())
        self.report = SplitReport(**metadata["report"])

    @classmethod
    def open(cls, path: Path | str) -> TokenizedCorpus:
        """Same as ``TokenizedCorpus(path)``."""
        return cls(path)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self._open()

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __repr__(self) -> str:
        return f"TokenizedCorpus({str(self.path)!r}: {len(self)} sentences)"

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, BOS and EOS included, int64 [N]."""
        return np.diff(self._offsets) + 2

    @property
    def labels(self) -> np.ndarray:
        """Class of each sentence, -1 for none, int64 [N]."""
        return self._labels

    @cached_property
    def word_counts(self) -> np.ndarray:
        """Number of white-space words of each text, int64 [N]."""
        return self._words.to_numpy(zero_copy_only=True).astype(np.int64)

    def words(self, i: SupportsIndex) -> int:
        """Number of white-space words of one text."""
        return int(self._words[operator.index(i)].as_py())

    def text(self, i: SupportsIndex) -> str:
        """The normalized text of one sentence; for a truncated or windowed text, only the part that was kept.

        The kept part of a text with unknown words ends with a whole word, which may have more tokens than were kept.
        """
        return self._texts[operator.index(i)].as_py()

    def ids(self, i: SupportsIndex) -> np.ndarray:
        """Token ids of one sentence without BOS and EOS, int32, read-only."""
        place = operator.index(i)
        return self._flat[self._offsets[place] : self._offsets[place + 1]]

    def batch(self, indices: np.ndarray) -> Batch:
        """Sentences as a padded batch of int64 tensors, in the order of `indices` [B]."""
        indices = np.asarray(indices, dtype=np.int64)
        starts = self._offsets[indices]
        counts = self._offsets[indices + 1] - starts
        labels = self._labels[indices] if self._has_labels else None
        return gather_batch(self._flat, starts, counts, labels, indices)
