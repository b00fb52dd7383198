"""What `textvae new` has found in a file and chosen for it; each stage makes its table of the new recipe from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textvae.text.inspect import FileReport, ProposedTokenizer

MAX_LABELS = 50
"""A column with more different values than this is not used as labels."""
SMALL_CORPUS = 1000
"""Texts below which the validation and test splits get a tenth each, instead of a twentieth."""


@dataclass(frozen=True)
class Size:
    """A size of model: widths of the recurrent parts, and of z."""

    hidden: int
    embedding: int
    latent: int

    def model(self, dropout: float = 0.0) -> dict[str, Any]:
        """The table of a model of this size.

        Args:
            dropout: of the decoder and the encoder, for corpora that the model could memorize.
        """
        widths: dict[str, Any] = {"embedding_dim": self.embedding, "hidden_dim": self.hidden}
        if dropout:
            widths["dropout"] = dropout
        return {
            "kind": "text_vae",
            "latent_dim": self.latent,
            "encoder": {"kind": "lstm", **widths, "bidirectional": True, "pooling": "max"},
            "decoder": {"kind": "lstm", **widths, "word_dropout": 0.3},
        }


@dataclass(frozen=True)
class Rates:
    """The speed of a model of one size on one machine, in tokens per second.

    Attributes:
        train: in training steps.
        read: a sentence encoded, and its bound computed, without a gradient.
        score: tokens times codes, where the decoder scores sentences for several codes each.
        generate: in greedy decoding of 128 sentences at once.
    """

    train: float
    read: float
    score: float
    generate: float


@dataclass(frozen=True)
class Trial:
    """What was measured on one machine, for one text and one tokenizer.

    Attributes:
        device: on which: "cpu" or "cuda".
        encode: characters per second that the tokenizer reads.
        rates: of each size of model that was tried, by its hidden width.
    """

    device: str
    encode: float
    rates: Mapping[int, Rates]

    def lines(self) -> list[str]:
        """The trial as lines of text, for the head of the recipe."""
        lines = [f"trial on {self.device}: the tokenizer reads {self.encode:,.0f} characters per second"]
        for hidden, rates in self.rates.items():
            told = ", ".join(f"{name} {value:,.0f}" for name, value in asdict(rates).items())
            lines.append(f"trial of LSTM {hidden}, tokens per second: {told}")
        return lines


@dataclass(frozen=True)
class Proposal:
    """A file and the model proposed for it.

    Attributes:
        found: the file.
        tokenizer: for its texts.
        size: of the model.
        rates: of a model of this size, on this machine.
        encode: characters per second that the tokenizer reads.
        seconds: the time budget of the whole run.
        training_seconds: what is left of it for the stage that trains the model.
    """

    found: FileReport
    tokenizer: ProposedTokenizer
    size: Size
    rates: Rates
    encode: float
    seconds: float
    training_seconds: float

    @property
    def labels(self) -> dict[str, int]:
        """How often each label occurs; empty where the file has no labels, or too many different ones."""
        found = self.found
        if found.label_column is None or len(found.label_counts) < 2:
            return {}
        return found.label_counts if found.every_label or len(found.label_counts) <= MAX_LABELS else {}

    @property
    def shown_labels(self) -> int:
        """Number of labels for the classifier's training: all where all are wanted, else see `labels_to_show`."""
        if self.found.every_label:
            # Where all rows that were read have a label, those that follow are taken to have one too.
            more = 1.0 if self.found.unlabelled else self.texts / self.found.texts.count
            return round(more * sum(self.labels.values()))
        # Where the file names its test rows, their labels are not among those of training.
        share = self.shares["train"] if self.found.split_names else 1.0
        return labels_to_show({name: int(share * count) for name, count in self.labels.items()})

    @property
    def texts(self) -> int:
        """Number of texts of the whole file."""
        return max(self.found.texts.count, self.found.rows_estimate)

    @property
    def characters(self) -> float:
        """Number of characters of the whole file."""
        return self.found.texts.characters * self.texts / self.found.texts.count

    @property
    def shares(self) -> dict[str, float]:
        """The share of all texts that each split has."""
        cut = cut_fractions(self.found)
        rows = {
            split: sum(self.found.split_counts.get(value, 0) for value in values)
            for split, values in self.found.split_names.items()
        }
        own = {str(split): count / max(1, sum(rows.values())) for split, count in rows.items()} or {"train": 1.0}
        return own | {split: own["train"] * share for split, share in cut.items()}

    @property
    def text_tokens(self) -> float:
        """Tokens that a model predicts in a typical text, EOS counted."""
        return self.tokenizer.tokens_per_text + 1

    @property
    def epoch_tokens(self) -> float:
        """Tokens that a model predicts in an epoch."""
        return self.shares["train"] * self.texts * self.text_tokens


def cut_fractions(found: FileReport) -> dict[str, float]:
    """How train is divided to give the splits that the file does not have; empty if it has all."""
    each = 0.1 if found.texts.count < SMALL_CORPUS else 0.05
    cut = {split: each for split in ("valid", "test") if split not in found.split_names}
    return {"train": round(1 - sum(cut.values()), 2), **cut} if cut else {}


def labels_to_show(counts: Mapping[str, int]) -> int:
    """Number of labels for a classifier's training: 500, or fewer where the rarest class is small; 0 if it is too rare.

    Each class gives the same number of labels, at most a third of the rarest class (its texts are also split into
    training, validation and test).

    >>> labels_to_show({"pos": 4000, "neg": 3000}), labels_to_show({"a": 90, "b": 60}), labels_to_show({"a": 90})
    (500, 40, 30)
    >>> labels_to_show({"a": 90, "b": 3})
    0
    """
    if not counts:
        return 0
    each = min(counts.values()) // 3
    return 0 if each < 2 else min(500, each * len(counts))
