"""Which sentences go together: of one length or of all, under a token budget, in an order fixed by seed and epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from textvae.errors import ConfigError, DataError
from textvae.text.given import checked_texts
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import BOS_ID, EOS_ID, NO_LABEL, PAD_ID, Batch


class BatchPlan:
    """Cuts a corpus into batches of sentences, of similar length or of all lengths.

    Sentences are sorted by length, equal lengths in random order, and cut so that a batch's padded size
    ``sentences * longest`` stays within `batch_tokens`; then the batches are shuffled. With `all_lengths` they are not
    sorted, and a batch is a fair sample of the corpus, for what lets its sentences depend on one another; each then
    has as many sentences as would fit were all of them the longest, and most of its padded tokens may be padding.

    Where the cuts fall depends on the lengths alone, so every epoch has the same number of steps; which sentences
    meet, and the order of batches, come from (seed, epoch) and from nothing else.

    Args:
        lengths: tokens of each sentence, BOS and EOS included, [N].
        batch_tokens: padded tokens of a batch at most.
        batch_sentences: sentences of a batch at most; None for no such bound.
        seed: of the order.
        all_lengths: whether sentences of any length meet.

    Raises:
        ConfigError: the longest sentence alone exceeds `batch_tokens`; or two of them do, with `all_lengths`.

    >>> plan = BatchPlan(np.array([5, 3, 5, 3, 4]), batch_tokens=10, batch_sentences=None, seed=0)
    >>> plan.steps_per_epoch, sorted(np.concatenate(plan.epoch(0)).tolist())
    (3, [0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_tokens: int,
        batch_sentences: int | None,
        seed: int,
        *,
        all_lengths: bool = False,
    ) -> None:
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._seed, self._all_lengths = seed, all_lengths
        cuts = _even_cuts if all_lengths else _cuts
        self._cuts = cuts(np.sort(self._lengths), batch_tokens, batch_sentences)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the same for every epoch."""
        return len(self._cuts) - 1

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """Every example once: positions in the corpus, int64, one array a batch."""
        rng = np.random.default_rng([self._seed, epoch])
        noise = rng.random(len(self._lengths))
        order = np.argsort(noise) if self._all_lengths else np.lexsort((noise, self._lengths))
        batches = np.split(order, self._cuts[1:-1])
        return [batches[i] for i in rng.permutation(len(batches))]


def sequential_batches(lengths: np.ndarray, batch_tokens: int, batch_sentences: int | None = None) -> list[np.ndarray]:
    """Batches for evaluation: sorted by length, ties in the corpus' order, nothing random.

    Raises:
        ConfigError: the longest sentence alone exceeds `batch_tokens`.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    return np.split(order, _cuts(lengths[order], batch_tokens, batch_sentences)[1:-1])


def _require_room(ascending: np.ndarray, batch_tokens: int, batch_sentences: int | None) -> None:
    if len(ascending) == 0:
        raise ConfigError("There are no sentences to make batches of.")
    if batch_sentences is not None and batch_sentences < 1:
        raise ConfigError(f"batch_sentences is {batch_sentences}; it must be at least 1.")
    longest = int(ascending[-1])
    if longest > batch_tokens:
        raise ConfigError(
            f"batch_tokens is {batch_tokens}, but the longest sentence alone has {longest} tokens (BOS and EOS "
            "counted); raise batch_tokens or lower max_tokens."
        )


def _even_cuts(ascending: np.ndarray, batch_tokens: int, batch_sentences: int | None) -> np.ndarray:
    """Bounds of batches of one size, to a sentence, in any order of the lengths."""
    _require_room(ascending, batch_tokens, batch_sentences)
    count, longest = len(ascending), int(ascending[-1])
    most = min(batch_tokens // longest, batch_sentences or count)
    if most < 2 and count > 1:
        raise ConfigError(
            f"batches whose sentences depend on one another need at least two; got batch_tokens = "
            f"{batch_tokens} with sentences of up to {longest} tokens (BOS and EOS counted), and batch_sentences = "
            f"{batch_sentences}; raise batch_tokens or batch_sentences, or lower max_tokens."
        )
    batches = math.ceil(count / most)
    return np.arange(batches + 1) * count // batches


def _cuts(ascending: np.ndarray, batch_tokens: int, batch_sentences: int | None) -> np.ndarray:
    """Bounds of the batches in lengths sorted upwards: 0, ..., N."""
    _require_room(ascending, batch_tokens, batch_sentences)
    count = len(ascending)
    most = batch_sentences or count
    cuts = [0]
    while cuts[-1] < count:
        start = cuts[-1]
        # Its padded size grows with a batch, so the last sentence that fits is found by bisection.
        low, high = start + 1, min(start + most, count, start + batch_tokens // int(ascending[start]))
        while low < high:
            middle = (low + high + 1) // 2
            if (middle - start) * int(ascending[middle - 1]) <= batch_tokens:
                low = middle
            else:
                high = middle - 1
        cuts.append(low)
    return np.array(cuts)


def gather_batch(
    flat: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    labels: np.ndarray | None,
    example_ids: np.ndarray,
) -> Batch:
    """Copy sentences out of one flat buffer of ids into a padded batch, without a loop over sentences.

    Args:
        flat: ids of all sentences one after another.
        starts: where each of the B sentences begins in it, [B].
        counts: ids of each, without BOS and EOS, [B].
        labels: class of each or None, [B].
        example_ids: position of each in its corpus, [B].
    """
    size = len(starts)
    tokens = np.full((size, int(counts.max(initial=0)) + 2), PAD_ID, dtype=np.int64)
    tokens[:, 0] = BOS_ID
    ends = np.cumsum(counts)
    # Row and column of every id, then its place in the flat buffer.
    within = np.arange(int(ends[-1]) if size else 0) - np.repeat(ends - counts, counts)
    tokens[np.repeat(np.arange(size), counts), within + 1] = flat[np.repeat(starts, counts) + within]
    tokens[np.arange(size), counts + 1] = EOS_ID
    return Batch(
        tokens_BT=torch.from_numpy(tokens),
        lengths_B=torch.from_numpy(counts + 2),
        label_B=None if labels is None else torch.from_numpy(labels),
        example_id_B=torch.from_numpy(example_ids),
    )


def encode_texts(
    texts: Iterable[str],
    tokenizer: Tokenizer,
    max_tokens: int,
    label_B: Sequence[int] | np.ndarray | None = None,
    vector_BH: torch.Tensor | None = None,
) -> Batch:
    """A batch of sentences that someone typed, in the order given.

    Args:
        texts: the sentences, any iterable of strings.
        tokenizer: of the model.
        max_tokens: words or pieces at most, BOS and EOS not counted: what the model was trained for.
        label_B: class of each, -1 for none; None for no labels at all.
        vector_BH: a vector for each, for a prior that is conditioned on it.

    Raises:
        DataError: no sentence, an empty one, one that is too long, or something that is no string; or labels or vectors
            for another number of them.
    """
    texts = checked_texts(texts)
    rows = tokenizer.encode_batch(texts)
    for number, (text, row) in enumerate(zip(texts, rows, strict=True), start=1):
        which = f"Sentence {number}" if len(rows) > 1 else "The sentence"
        if not row:
            raise DataError(f"{which} is empty; give a sentence with at least one word.")
        if len(row) > max_tokens:
            shown = text if len(text) <= 40 else text[:40] + "..."
            raise DataError(
                f"{which} ({shown!r}) has {len(row)} tokens, more than the {max_tokens} "
                "the model was trained for; shorten it."
            )
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    flat = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
    labels = None if label_B is None else np.asarray(label_B, dtype=np.int64)
    if labels is not None and len(labels) != len(rows):
        raise DataError(f"Got {len(labels)} labels for {len(rows)} sentences; give one label a sentence, -1 for none.")
    if vector_BH is not None and len(vector_BH) != len(rows):
        raise DataError(f"Got {len(vector_BH)} vectors for {len(rows)} sentences; give one vector a sentence.")
    assert NO_LABEL == -1
    batch = gather_batch(flat, np.cumsum(counts) - counts, counts, labels, np.arange(len(rows)))
    return replace(batch, vector_BH=vector_BH)
