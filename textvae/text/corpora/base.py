"""What every corpus is: a card (settings) that can read examples, split by split, in constant memory."""

from __future__ import annotations

import hashlib
import json
import random
from abc import abstractmethod
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator

from textvae.arguments import MAX_SEED
from textvae.config import Component
from textvae.errors import DataError
from textvae.text.normalize import normalize

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
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
        self.read, self.over_limit = other.read, other.over_limit
        self.too_short, self.too_long = other.too_short, other.too_long


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

    @abstractmethod
    def read_source(self, split: Split) -> Iterator[Example]:
        """Every example of one of the source's own splits, as it is there.

        Raises:
            DataError: the source is missing or damaged; the message names the cure.
        """

    @abstractmethod
    def source_fingerprint(self) -> str:
        """What changes when the source's content does."""

    @classmethod
    @abstractmethod
    def write_example(cls, folder: Path) -> dict[str, object]:
        """Write a tiny source of this kind, without using the network; the tests of all kinds read it.

        Args:
            folder: an empty folder, which a kind that reads no files leaves empty.

        Returns:
            the table of a card that, put into that folder, reads the source.
        """

    # --- what a kind declares where the default is not its own --------------------------------------------

    descriptive: ClassVar[frozenset[str]] = frozenset({"name", "licence", "description", "citation", "source"})
    """Settings that change nothing of what `read` gives: no fingerprint has them."""

    @property
    def has_labels(self) -> bool:
        """Whether examples carry labels."""
        return False

    @property
    def own_splits(self) -> tuple[Split, ...]:
        """Splits the source itself comes in; the others are cut from train, by `split_fractions`."""
        return ("train",)

    def seen_from(self, folder: Path) -> CorpusCard:
        """The card with its relative paths resolved from the folder that its file is in; the same without paths.

        The setting of a folder that others may move is called `root`: ``--set corpus.root=DIR`` is resolved from the
        current folder.

        Args:
            folder: an absolute path.
        """
        return self

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
        settings = self.model_dump(mode="json", exclude=set(self.descriptive))
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
                f"The {split} split of corpus '{self.name}' is empty: a hash of each text says which split it is in, "
                "and none is in this one; give more different texts, change split_fractions, or set corpus.seed to "
                "another number."
            )
        return f"The {split} split of corpus '{self.name}' holds no text; look at its files."

    def _of_split(self, split: Split) -> Iterator[Example]:
        cut_from_train = split in self.split_fractions and (split == "train" or split not in self.own_splits)
        for example in self._sentences("train" if cut_from_train else split):
            if not cut_from_train or self._split_of(example.text) == split:
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


def texts_of(examples: Iterable[Example]) -> Iterator[str]:
    """The texts alone, as tokenizers train on them."""
    return (example.text for example in examples)
