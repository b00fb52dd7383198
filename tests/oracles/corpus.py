"""Sentences in memory behind the part of a corpus that evaluation reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from textvae.types import BOS_ID, EOS_ID, PAD_ID, Batch


class ListCorpus:
    """Sentences of ids without BOS and EOS.

    Args:
        sentences: the ids of each.
        labels: the class of each; no labels when None.
    """

    def __init__(self, sentences: Sequence[Sequence[int]], labels: Sequence[int] | None = None) -> None:
        self.sentences = [list(sentence) for sentence in sentences]
        self.lengths = np.array([len(sentence) + 2 for sentence in self.sentences])
        self.word_counts = self.lengths - 2
        self.labels = np.full(len(self), -1) if labels is None else np.asarray(labels)
        self.label_names: tuple[str, ...] = () if labels is None else tuple(map(str, range(max(labels) + 1)))

    def __len__(self) -> int:
        return len(self.sentences)

    def ids(self, i: int) -> np.ndarray:
        return np.asarray(self.sentences[i], dtype=np.int32)

    def text(self, i: int) -> str:
        return " ".join(map(str, self.sentences[i]))

    def batch(self, indices: Any) -> Batch:
        indices = np.asarray(indices)
        lengths_B = torch.as_tensor(self.lengths[indices])
        tokens_BT = torch.full((len(indices), int(lengths_B.max())), PAD_ID)
        for row, i in enumerate(indices):
            ids = [BOS_ID, *self.sentences[i], EOS_ID]
            tokens_BT[row, : len(ids)] = torch.tensor(ids)
        labels = torch.as_tensor(self.labels[indices]) if self.label_names else None
        return Batch(tokens_BT, lengths_B, labels, torch.as_tensor(indices))
