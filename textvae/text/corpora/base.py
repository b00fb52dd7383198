"""What every corpus is: a card (settings) that can read examples, split by split, in constant memory."""

from __future__ import annotations

import hashlib
import json
import os
import random
from abc import abstractmethod
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PrivateAttr, field_validator, model_validator

from textvae.arguments import MAX_SEED
from textvae.config import Component
from textvae.disk import at_home, is_folder, problem_of_file, shown_path
from textvae.errors import DataError
from textvae.text.normalize import normalize

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
DATA_VARIABLE = "TEXTVAE_DATA"
MAX_NAME = 100
"""Characters of a corpus' name at most."""


class Example(NamedTuple):
    """A text as the corpus has it, and its label where it has one."""

    text: str
    label: str | None = None


@dataclass
class ReadReport:
    """What `read` left out; a caller hands one in to be filled.

    Attributes:
        read: examples given out.
        too_short: fewer words than `min_words` (empty ones are given out, and counted where they are written).
        too_long: more words than `max_words`.
        over_limit: left out by `limit`.
    """

    read: int = 0
    too_short: int = 0
    too_long: int = 0
    over_limit: int = 0

    def copy_from(self, other: ReadReport) -> None:
        for item in fields(self):
            setattr(self, item.name, getattr(other, item.name))


class CorpusCard(Component):
    """Settings all corpora share, as a card in `data/*.toml` has them.

    Attributes:
        name: what the corpus is called in reports.
        licence: under which terms the text may be used.
        description: what it is, in a sentence or two.
        citation: what to cite.
        source: where it comes from.
        split_fractions: how one set of examples is cut, such as ``{train = 0.9, valid = 0.05, test = 0.05}``. It
            is cut by a hash of the normalized text, so that duplicates never straddle splits.
        seed: changes that cut, and the choice that `limit` makes.
        limit: at most so many examples of a split, in the order of the file.
        keep: which of them: drawn at random, since many published files are sorted by label, or the first.
        split_sentences: cut each text into sentences first, with Punkt trained on the corpus itself.
        min_words: leave out texts of fewer words (white space counts words).
        max_words: leave out texts of more words.
    """

    name: str
    licence: str = ""
    description: str = ""
    citation: str = ""
    source: str = ""
    split_fractions: dict[Split, float] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    limit: dict[Split, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    keep: Literal["random", "first"] = "random"
    split_sentences: bool = False
    min_words: int | None = Field(default=None, ge=1)
    max_words: int | None = Field(default=None, ge=1)

    @field_validator("name")
    @classmethod
    def _name_is_short(cls, name: str) -> str:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise ValueError(f"expected a name of at most {MAX_NAME} printable characters")
        return name

    @field_validator("split_fractions")
    @classmethod
    def _fractions_sum_to_one(cls, fractions: dict[Split, float]) -> dict[Split, float]:
        if fractions and (min(fractions.values()) <= 0 or abs(sum(fractions.values()) - 1) > 1e-6):
            raise ValueError("the fractions must be positive and sum to 1")
        if fractions and "train" not in fractions:
            raise ValueError("the fractions must name a train split")
        return {split: fractions[split] for split in SPLITS if split in fractions}

    # --- what a kind must supply -------------------------------------------------------------------------

    @property
    @abstractmethod
    def has_labels(self) -> bool:
        """Whether examples carry labels."""

    @property
    @abstractmethod
    def own_splits(self) -> tuple[Split, ...]:
        """Splits the source itself comes in."""

    @abstractmethod
    def read_source(self, split: Split) -> Iterator[Example]:
        """Every example of one of the source's own splits, as it is there."""

    @abstractmethod
    def source_fingerprint(self) -> str:
        """What changes when the source's content does."""

    # --- what all kinds share ----------------------------------------------------------------------------

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits there are, of train, valid and test, in this order."""
        return tuple(split for split in SPLITS if split in self.own_splits or split in self.split_fractions)

    def read(self, split: Split, report: ReadReport | None = None) -> Iterator[Example]:
        """Give the examples of a split one by one; no more than one is held in memory.

        Args:
            split: ``train``, ``valid`` or ``test``.
            report: filled with what was left out, once the last example has been given.

        Raises:
            DataError: the split does not exist or is empty, or the source cannot be read; see the messages.
        """
        if split not in self.splits:
            raise DataError(f"Corpus '{self.name}' has no {split} split; it has {', '.join(self.splits)}.")
        counts = ReadReport()
        chosen = self._chosen(split)
        position = 0
        for position, example in enumerate(self._filtered(split, counts), start=1):
            if chosen is None or position - 1 in chosen:
                counts.read += 1
                yield example
        counts.over_limit = position - counts.read
        if not counts.read:
            raise DataError(self._why_empty(split, counts))
        if report is not None:
            report.copy_from(counts)

    def label_names(self) -> list[str]:
        """Every label of the training split, in alphabetical order: label i of a tokenized corpus is the i-th.

        Raises:
            DataError: the corpus has no labels.
        """
        if not self.has_labels:
            raise DataError(
                f"Corpus '{self.name}' has no labels; name its label_column in the card, or drop the stage."
            )
        names = sorted({example.label for example in self.read("train") if example.label is not None})
        if not names:
            raise DataError(f"The training split of corpus '{self.name}' has not one label; look at its label_column.")
        return names

    def fingerprint(self) -> str:
        """SHA-256 over the source's content and every setting that changes what `read` gives."""
        described = {"name", "licence", "description", "citation", "source", "root", "folder"}
        settings = self.model_dump(mode="json", exclude=described)
        content = json.dumps([settings, self.source_fingerprint()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _chosen(self, split: Split) -> Container[int] | None:
        """Positions that `limit` keeps, drawn from one pass that counts; None keeps all."""
        limit = self.limit.get(split)
        if limit is None:
            return None
        if self.keep == "first":
            return range(limit)
        total = sum(1 for _ in self._filtered(split, ReadReport()))
        if total <= limit:
            return None
        return set(random.Random(f"{self.seed} {split}").sample(range(total), limit))

    def _filtered(self, split: Split, counts: ReadReport) -> Iterator[Example]:
        lowest, highest = self.min_words or 0, self.max_words or float("inf")
        bounded = self.min_words is not None or self.max_words is not None
        for example in self._of_split(split):
            if bounded:
                words = len(example.text.split())
                if words > highest:
                    counts.too_long += 1
                    continue
                if 0 < words < lowest:
                    counts.too_short += 1
                    continue
            yield example

    def _why_empty(self, split: Split, counts: ReadReport) -> str:
        """What to say of a split without one example."""
        if counts.too_short or counts.too_long:
            return (
                f"The {split} split of corpus '{self.name}' has no text of min_words to max_words words: "
                f"{counts.too_short} are shorter, {counts.too_long} longer; change these settings of its card."
            )
        if split in self.split_fractions:
            return (
                f"The {split} split of corpus '{self.name}' is empty: texts are dealt out by what they say, and none "
                "came to it; give more different texts, change split_fractions, or set corpus.seed to another number."
            )
        return f"The {split} split of corpus '{self.name}' holds no text; look at its files."

    def _of_split(self, split: Split) -> Iterator[Example]:
        carved = split in self.split_fractions and (split == "train" or split not in self.own_splits)
        for example in self._sentences(split if split in self.own_splits and not carved else "train"):
            if not carved or self._split_of(example.text) == split:
                yield example

    def _split_of(self, text: str) -> Split:
        digest = hashlib.blake2b(f"{self.seed}\0{normalize(text)}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "big") / 2**64
        for split, fraction in self.split_fractions.items():
            place -= fraction
            if place < 0:
                return split
        return next(reversed(self.split_fractions))

    def _sentences(self, split: Split) -> Iterator[Example]:
        if not self.split_sentences:
            yield from self.read_source(split)
            return
        from textvae.text.sentences import train_punkt

        cut = train_punkt(example.text for example in self.read_source("train"))
        for text, label in self.read_source(split):
            for sentence in cut(text):
                yield Example(sentence, label)


class FileCorpus(CorpusCard):
    """Settings of the corpora that are files.

    Attributes:
        root: folder of the files.
        folder: the corpus' folder below the one that the environment variable TEXTVAE_DATA names.
        files: path of each split, or several paths, relative to the root. One file alone is cut by `split_fractions`.
        checksums: ``sha256:...`` of the files, in the same shape as `files`.
        encoding: of the files.
    """

    root: str | None = None
    folder: str | None = None
    files: dict[Split, str | list[str]]
    checksums: dict[Split, str | list[str]] = Field(default_factory=dict)

    _base: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _shapes_agree(self) -> FileCorpus:
        if "train" not in self.files:
            raise ValueError("files must name a train split")
        for split, sums in self.checksums.items():
            if len(_listed(sums)) != len(_listed(self.files.get(split, []))):
                raise ValueError(f"checksums.{split} must have as many entries as files.{split}")
        return self

    @property
    def own_splits(self) -> tuple[Split, ...]:
        return tuple(split for split in SPLITS if split in self.files)

    def resolve_root(self) -> Path:
        """The folder of the files: `root`; else TEXTVAE_DATA and `folder`; else the folder of the card itself."""
        base = self._base or Path.cwd()
        if self.root is not None:
            root = base / at_home(self.root)
            # "--set corpus.root=" may name the corpus' own folder or the one above it, as TEXTVAE_DATA does.
            below = root / self.folder if self.folder else root
            return below if is_folder(below) else root
        if self.folder is not None and os.environ.get(DATA_VARIABLE):
            return at_home(os.environ[DATA_VARIABLE]) / self.folder
        return base

    def paths(self, split: Split) -> list[Path]:
        """The files of a split.

        Raises:
            DataError: one is missing, or is a folder, a pipe or a device.
        """
        root = self.resolve_root()
        found = [root / name for name in _listed(self.files[split])]
        for path in found:
            problem = problem_of_file(path)
            if problem is not None:
                where = (
                    f"set {DATA_VARIABLE} to the folder that holds '{self.folder}'"
                    if self.folder
                    else f"put it in {root}"
                )
                source = f" (source: {self.source})" if self.source else ""
                raise DataError(
                    f"Corpus '{self.name}' needs {shown_path(path)}, which {problem}; "
                    f"{where}, or give its folder by --set corpus.root=DIR{source}."
                )
        return found

    def checked_paths(self, split: Split) -> list[Path]:
        """The files of a split, once they are seen to have their recorded checksums.

        Raises:
            DataError: one is missing, empty or has another checksum.
        """
        paths = self.paths(split)
        for path, recorded in zip(paths, _listed(self.checksums.get(split, [])), strict=False):
            got = sha256_of(path)
            if got != recorded.removeprefix("sha256:").lower():
                raise DataError(
                    f"{path} has checksum sha256:{got}, the card of corpus '{self.name}' expects {recorded}; "
                    "fetch the file again, or correct the card if you changed the file on purpose."
                )
        for path in paths:
            if path.stat().st_size == 0:
                raise DataError(f"{path} is empty; corpus '{self.name}' needs at least one example in it.")
        return paths

    def source_fingerprint(self) -> str:
        parts: list[str] = []
        for split in self.own_splits:
            recorded = _listed(self.checksums.get(split, []))
            # A recorded checksum is held by every read, so a large corpus need not be hashed twice.
            parts += [split, *(recorded or [f"sha256:{sha256_of(path)}" for path in self.paths(split)])]
        return " ".join(parts)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, remembered as long as its size and time of change stay."""
    status = path.stat()
    return _sha256(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: str, size: int, changed_ns: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def texts_of(examples: Iterable[Example]) -> Iterator[str]:
    """The texts alone, as tokenizers train on them."""
    return (example.text for example in examples)
