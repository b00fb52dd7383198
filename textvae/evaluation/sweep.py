"""The loop of every evaluation: once over the sentences of a corpus, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from textvae.evaluation.noise import own_randomness
from textvae.evaluation.protocol import Corpus, Progress
from textvae.models import TextModel
from textvae.text.batching import sequential_batches
from textvae.types import Batch

BATCH_TOKENS = 16_384
"""Default for the most rows times tokens of a decoder call. It changes memory and speed, not the results."""


@dataclass(frozen=True)
class Part:
    """Sentences that are measured in one batch.

    Attributes:
        batch: their tokens, on the model's device. Labels are hidden: every likelihood here is p(x), never p(x, y).
        rows: place of each among the given indices, int64 [B]; results are stored there.
        example_ids: number of each by `Batch.example_id_B`, its place in the corpus, int64 [B]; its noise is seeded by
            this.
    """

    batch: Batch
    rows: np.ndarray
    example_ids: np.ndarray


@contextmanager
def sweep(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    doing: str,
    *,
    batch_tokens: int = BATCH_TOKENS,
    copies: int = 1,
    progress: Progress | None = None,
) -> Iterator[Iterator[Part]]:
    """The given sentences, in batches of sentences of similar length.

    Inside, gradients and dropout are off. Afterwards the model's mode and the global random state are restored. Which
    sentences share a batch depends on the budget. An evaluation therefore stores results by the `rows` of a part and
    draws noise by its `example_ids`; then neither the budget nor the order of the sentences changes a result.

    Args:
        model: the model that is measured; batches are moved to its device.
        corpus: tokenized sentences.
        indices: which of them, [N].
        doing: what is measured, for `progress`.
        batch_tokens: rows times tokens of a decoder call, at most (more only where one sentence has more).
        copies: rows of a decoder call for each sentence, such as its samples.
        progress: called after every batch.

    Raises:
        ConfigError: there are no sentences.

    >>> import torch
    >>> from textvae.evaluation.bidirectional import Simulated
    >>> from textvae.models import LanguageModelConfig
    >>> model = LanguageModelConfig().build(vocab_size=9, max_tokens=5)
    >>> corpus = Simulated([[5, 6, 7], [8], [5, 4]], codes_ND=torch.zeros(3, 0))
    >>> with sweep(model, corpus, np.arange(3), "an example", batch_tokens=8) as parts:
    ...     [part.rows.tolist() for part in parts]
    [[1, 2], [0]]
    """
    lengths = np.asarray(corpus.lengths)[indices]
    budget = max(int(lengths.max(initial=1)), batch_tokens // copies)

    def parts() -> Iterator[Part]:
        done = 0
        for rows in sequential_batches(lengths, budget):
            batch = corpus.batch(indices[rows]).unlabelled()
            yield Part(batch.to(model.device), rows, _ids(batch))
            done += len(rows)
            if progress is not None:
                progress(doing, done, len(indices))

    with own_randomness(model):
        yield parts()


def _ids(batch: Batch) -> np.ndarray:
    if batch.example_id_B is None:
        raise ValueError("a corpus whose sentences are measured gives each its example_id_B")
    return batch.example_id_B.numpy()


def places(corpus: Corpus, indices: np.ndarray | None) -> np.ndarray:
    """Indices into a corpus, [N]: those given, or all when None."""
    return np.arange(len(corpus)) if indices is None else np.asarray(indices)
