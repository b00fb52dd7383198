"""Sentences as token ids in memory, with the members of a tokenized corpus that evaluations need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from textvae.text.batching import gather_batch
from textvae.types import Batch


class TokenRows:
    """Sentences in memory, for `textvae.evaluation.sweep`.

    Args:
        sentences: ids without BOS and EOS.
        example_ids: a number of each sentence, to which its noise belongs; its place when None. int64 [N].

    >>> rows = TokenRows([[5, 6], [7]], np.array([90, 91]))
    >>> rows.lengths.tolist(), rows.batch(np.array([1])).example_id_B.tolist()
    ([4, 3], [91])
    """

    def __init__(self, sentences: Sequence[Sequence[int]], example_ids: np.ndarray | None = None) -> None:
        self._counts = np.array([len(ids) for ids in sentences], dtype=np.int64)
        self._starts = np.cumsum(self._counts) - self._counts
        self._flat = np.fromiter(chain.from_iterable(sentences), dtype=np.int64, count=int(self._counts.sum()))
        self._ids = np.arange(len(self._counts)) if example_ids is None else np.asarray(example_ids, dtype=np.int64)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, BOS and EOS included, int64 [N]."""
        return self._counts + 2

    @property
    def example_ids(self) -> np.ndarray:
        """The number of each sentence, int64 [N]."""
        return self._ids

    def __len__(self) -> int:
        return len(self._counts)

    def batch(self, indices: np.ndarray) -> Batch:
        """Some of the sentences, by their places."""
        rows = np.asarray(indices)
        return gather_batch(self._flat, self._starts[rows], self._counts[rows], None, self._ids[rows])
