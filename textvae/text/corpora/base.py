"""The base class of corpora: a card (settings) that can read the examples of each split in constant memory."""

from __future__ import annotations

import hashlib
import json
import random
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import Field, field_validator

from textvae.arguments import MAX_SEED
from textvae.config import Component
from textvae.errors import DataError
from textvae.text.corpora.division import CutText, Division, divide

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
MAX_NAME = 100
"""Characters of a corpus's name at most."""


class Example(NamedTuple):
    """A text as it is in the corpus, and its label; None without one."""

    text: str
    label: str | None = None


@dataclass
class ReadReport:
    """How many examples `CorpusCard.read` gave and left out; the caller passes one in and `read` fills it.

    Attributes:
        read: examples given.
        too_short: examples left out for having fewer words than `min_words`. Empty ones are not among them: they are
            given, and counted by `write_tokenized`.
        too_long: examples left out for having more words than `max_words`.
        over_limit: examples left out by `limit`.
    """

    read: int = 0
    too_short: int = 0
    too_long: int = 0
    over_limit: int = 0

    def copy_from(self, other: ReadReport) -> None:
        self.read, self.over_limit = other.read, other.over_limit
        self.too_short, self.too_long = other.too_short, other.too_long


class CorpusCard(Component):
    """Settings that all corpora share, as in the cards `data/*.toml`.

    Attributes:
        name: the name of the corpus in reports.
        licence: the terms under which the text may be used.
        description: a sentence or two about the corpus.
        citation: the publication to cite.
        source: where the corpus comes from, such as an address.
        split_fractions: how a single set of examples is divided, such as ``{train = 0.9, valid = 0.05, test = 0.05}``:
            by label, equal texts together, no split empty; see `textvae.text.corpora.division`. What `min_words` and
            `max_words` leave out does not count.
        seed: seed of this division and of the choice that `limit` makes.
        limit: the largest number of examples of each split; they are read in the order of the file.
        keep: which examples `limit` keeps: random ones (many published files are sorted by label) or the first.
        split_sentences: split each text into sentences, by a Punkt model trained on the corpus. They have its label and
            are in its split, but for those of a corpus of fewer than 100 texts, which are divided one by one.
        min_words: leave out texts of fewer words, separated by white space.
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
        """Every example of one split of the source (`own_splits`), unchanged.

        Raises:
            DataError: the source is missing or damaged; the message names the cure.
        """

    @abstractmethod
    def source_fingerprint(self) -> str:
        """A string that changes whenever the content of the source changes."""

    @classmethod
    @abstractmethod
    def write_example(cls, folder: Path) -> dict[str, object]:
        """Write a tiny source of this kind for the tests, which run over all kinds; it must not use the network.

        Args:
            folder: an empty folder; a kind that reads no files writes nothing.

        Returns:
            the table of a card in that folder that reads the source.
        """

    # --- what a kind may declare -----------------------------------------------------------------------------

    descriptive: ClassVar[frozenset[str]] = frozenset({"name", "licence", "description", "citation", "source"})
    """Settings that do not change what `read` gives, and so are left out of fingerprints."""

    later: ClassVar[frozenset[str]] = frozenset()
    """Settings that the kind did not have in version 0.1.0. They are left out of fingerprints where they have their
    default, so that the runs of that version stay up to date."""

    @property
    def has_labels(self) -> bool:
        """Whether examples carry labels."""
        return False

    @property
    def own_splits(self) -> tuple[Split, ...]:
        """The splits that the source comes in; the others are taken from train, by `split_fractions`."""
        return ("train",)

    @property
    def hub_dataset(self) -> str:
        """The name of the data set on the Hugging Face hub, for model cards; empty for a corpus from elsewhere."""
        return ""

    def sentence_cutter(self, texts: Iterable[str]) -> Callable[[str], list[str]]:
        """A function that cuts a text into sentences, for `split_sentences`.

        Args:
            texts: those of the corpus, to learn from.
        """
        from textvae.text.sentences import train_punkt

        return train_punkt(texts)

    def seen_from(self, folder: Path) -> CorpusCard:
        """The card with its relative paths resolved against the folder of the card's file.

        A kind whose data may be in any folder calls that setting `root`: ``--set corpus.root=DIR`` is then resolved
        against the current folder.

        Args:
            folder: an absolute path.
        """
        return self

    # --- what all kinds share ----------------------------------------------------------------------------

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of this corpus, in the order train, valid, test."""
        return tuple(split for split in SPLITS if split in self.own_splits or split in self.split_fractions)

    def read(self, split: Split, report: ReadReport | None = None) -> Iterator[Example]:
        """Give the examples of a split one by one; only one at a time is in memory.

        Args:
            split: ``train``, ``valid`` or ``test``.
            report: filled with counts once the last example has been given.

        Raises:
            DataError: the split does not exist or is empty, or the source cannot be read.
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
        """The labels of the training split, in alphabetical order; the position of a label here is its id.

        Empty where the corpus has labels and no training text has one.

        Raises:
            DataError: the corpus has no labels.
        """
        if not self.has_labels:
            raise DataError(
                f"Corpus '{self.name}' has no labels; name its label_column in the card, or drop the stage."
            )
        return sorted({example.label for example in self.read("train") if example.label is not None})

    def fingerprint(self) -> str:
        """SHA-256 of the source's content and of every setting that changes what `read` gives."""
        settings = self.model_dump(mode="json", exclude=set(self.descriptive))
        for name in self.later:
            if name in settings and getattr(self, name) == type(self).model_fields[name].get_default(
                call_default_factory=True
            ):
                del settings[name]
        content = json.dumps([settings, self.source_fingerprint()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _chosen(self, split: Split) -> Container[int] | None:
        """The positions that `limit` keeps; None keeps all. A random choice first reads the split once to count it."""
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
        for example in self._of_split(split):
            if self._fits(example.text):
                yield example
            elif len(example.text.split()) > (self.max_words or float("inf")):
                counts.too_long += 1
            else:
                counts.too_short += 1

    def _fits(self, text: str) -> bool:
        """Whether a text has `min_words` to `max_words` words, or none."""
        if self.min_words is None and self.max_words is None:
            return True
        words = len(text.split())
        return not words or (self.min_words or 0) <= words <= (self.max_words or float("inf"))

    def _why_empty(self, split: Split, counts: ReadReport) -> str:
        """The error message for a split without examples."""
        if counts.too_short or counts.too_long:
            return (
                f"The {split} split of corpus '{self.name}' has no text of min_words to max_words words: "
                f"{counts.too_short} are shorter, {counts.too_long} longer; change these settings of its card."
            )
        if self._is_divided(split):
            different = self._division().different
            return (
                f"The {split} split of corpus '{self.name}' is empty: there are too few texts to divide, "
                f"{different} different; give at least one for each of {', '.join(self.split_fractions)}."
            )
        return f"The {split} split of corpus '{self.name}' holds no text; look at its files."

    def _of_split(self, split: Split) -> Iterator[Example]:
        if not self._is_divided(split):
            for _, label, parts in self._cut_texts(split):
                for part in parts:
                    yield Example(part, label)
            return
        division, wanted = self._division(), list(self.split_fractions).index(split)
        for text in self._cut_texts("train"):
            for part, place in zip(text.parts, division.places(text), strict=True):
                if place == wanted:
                    yield Example(part, text.label)

    def _is_divided(self, split: Split) -> bool:
        """Whether a split is cut from the examples of train."""
        return split in self.split_fractions and (split == "train" or split not in self.own_splits)

    def _division(self) -> Division:
        def divided() -> Division:
            texts = (text._replace(parts=tuple(filter(self._fits, text.parts))) for text in self._cut_texts("train"))
            return divide(texts, list(self.split_fractions.values()), self.seed)

        return _remembered(f"division {self.fingerprint()}", divided)

    def _cut_texts(self, split: Split) -> Iterator[CutText]:
        if not self.split_sentences:
            for text, label in self.read_source(split):
                yield CutText(text, label, (text,))
            return
        cut = self._cutter()
        for text, label in self.read_source(split):
            yield CutText(text, label, tuple(cut(text)))

    def _cutter(self) -> Callable[[str], list[str]]:
        return _remembered(
            f"cutter {self.source_fingerprint()}",
            lambda: self.sentence_cutter(example.text for example in self.read_source("train")),
        )


_memory: OrderedDict[str, Any] = OrderedDict()
_T = TypeVar("_T")


def _remembered(key: str, make: Callable[[], _T]) -> _T:
    """What `make` gives; each split is read by itself, and need not find it again. The last four are kept."""
    if key not in _memory:
        _memory[key] = make()
        while len(_memory) > 4:
            _memory.popitem(last=False)
    made: _T = _memory[key]
    return made


def texts_of(examples: Iterable[Example]) -> Iterator[str]:
    """The texts without their labels, for training a tokenizer."""
    return (example.text for example in examples)
