"""What `textvae new` has found in a file and chosen for it; each stage makes its table of the new recipe from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textvae.text.inspect import FileReport, ProposedTokenizer

MAX_LABELS = 50
"""A column with more different values than this is not used as labels."""


@dataclass(frozen=True)
class Size:
    """A size of model: widths of the recurrent parts, and of z."""

    hidden: int
    embedding: int
    latent: int

    def flops_per_token(self, vocab_size: int) -> float:
        """Operations of a training step for each token: 2 for each weight forward, 4 backward.

        Two directions of the encoder, the decoder (which reads z as well), and the projection to the vocabulary,
        which is most of the work at these sizes.
        """
        encoder = 2 * 4 * self.hidden * (self.embedding + self.hidden)
        decoder = 4 * self.hidden * (self.embedding + self.latent + self.hidden)
        return 6.0 * (encoder + decoder + self.hidden * vocab_size)


@dataclass(frozen=True)
class Proposal:
    """A file and the model proposed for it.

    Attributes:
        found: the file.
        tokenizer: for its texts.
        size: of the model.
        epochs: the number that fits into the time budget.
    """

    found: FileReport
    tokenizer: ProposedTokenizer
    size: Size
    epochs: int

    @property
    def labels(self) -> dict[str, int]:
        """How often each label occurs; empty where the file has no labels, or too many different ones."""
        counts = self.found.label_counts
        return counts if self.found.label_column is not None and 2 <= len(counts) <= MAX_LABELS else {}

    @property
    def shown_labels(self) -> int:
        """Number of labels for the classifier's training; see `labels_to_show`."""
        return labels_to_show(self.labels)


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
