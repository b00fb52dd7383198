"""Batches of sentences under a token budget, in an order that depends on seed and epoch only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from textvae.errors import ConfigError, DataError
from textvae.text.given import GivenOverlong, checked_overlong, checked_texts
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import BOS_ID, EOS_ID, NO_LABEL, PAD_ID, Batch


class BatchPlan:
    """Divides a corpus into the batches of an epoch: sentences of similar length, or of all lengths.

    By default sentences are sorted by length, with equal lengths in random order, and cut so that the padded size of a
    batch, ``sentences * longest``, is at most `batch_tokens`. Then the batches are shuffled.

    With `all_lengths` sentences are not sorted, so that each batch is a random sample of the corpus. Losses and layers
    that compare the sentences of a batch need that. Every batch then has as many sentences as would fit if all were as
    long as the longest one, and much of it may be padding.

    The batch sizes depend on the lengths only, so every epoch has the same number of steps. The order depends on
    (seed, epoch) only.

    Args:
        lengths: tokens of each sentence, BOS and EOS included, [N].
        batch_tokens: the largest number of tokens in a batch, padding included.
        batch_sentences: the largest number of sentences in a batch; None for no limit.
        seed: seed of the order.
        all_lengths: whether a batch mixes sentences of all lengths.

    Raises:
        ConfigError: the longest sentence alone exceeds `batch_tokens`, or two such sentences do with `all_lengths`.

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
        """Number of batches in an epoch."""
        return len(self._cuts) - 1

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of one epoch, each an int64 array of positions in the corpus; every sentence occurs once."""
        rng = np.random.default_rng([self._seed, epoch])
        noise = rng.random(len(self._lengths))
        order = np.argsort(noise) if self._all_lengths else np.lexsort((noise, self._lengths))
        batches = np.split(order, self._cuts[1:-1])
        return [batches[i] for i in rng.permutation(len(batches))]


def sequential_batches(lengths: np.ndarray, batch_tokens: int, batch_sentences: int | None = None) -> list[np.ndarray]:
    """Batches for evaluation: sentences sorted by length, those of equal length in the order of the corpus.

    Args:
        lengths: tokens of each sentence, BOS and EOS included, [N].
        batch_tokens: the largest number of tokens in a batch, padding included.
        batch_sentences: the largest number of sentences in a batch; None for no limit.

    Returns:
        the positions of each batch, int64.

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
    """Bounds (0, ..., N) of batches whose sizes differ by at most one sentence, valid for any order of the lengths."""
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
    """Bounds (0, ..., N) of the batches in ascending lengths."""
    _require_room(ascending, batch_tokens, batch_sentences)
    count = len(ascending)
    most = batch_sentences or count
    cuts = [0]
    while cuts[-1] < count:
        start = cuts[-1]
        # The padded size grows with every sentence added, so bisection finds the last one that fits.
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
        flat: the ids of all sentences, one after another.
        starts: the position in `flat` at which each of the B sentences begins, [B].
        counts: the number of ids of each sentence, without BOS and EOS, [B].
        labels: the class of each sentence, [B], or None.
        example_ids: the position of each sentence in its corpus, [B].
    """
    size = len(starts)
    tokens = np.full((size, int(counts.max(initial=0)) + 2), PAD_ID, dtype=np.int64)
    tokens[:, 0] = BOS_ID
    ends = np.cumsum(counts)
    # `within` is the position of each id in its sentence: its column, and its offset from the sentence's start.
    within = np.arange(int(ends[-1]) if size else 0) - np.repeat(ends - counts, counts)
    tokens[np.repeat(np.arange(size), counts), within + 1] = flat[np.repeat(starts, counts) + within]
    tokens[np.arange(size), counts + 1] = EOS_ID
    return Batch(
        tokens_BT=torch.from_numpy(tokens),
        lengths_B=torch.from_numpy(counts + 2),
        label_B=None if labels is None else torch.from_numpy(labels),
        example_id_B=torch.from_numpy(example_ids),
    )


def checked_ids(
    texts: Iterable[str], tokenizer: Tokenizer, max_tokens: int, *, overlong: GivenOverlong = "error"
) -> list[list[int]]:
    """Token ids of texts that a user passed, without BOS and EOS, in the order given.

    Args:
        texts: the sentences, any iterable of strings.
        tokenizer: the model's tokenizer.
        max_tokens: the longest sentence that the model was trained for, in tokens without BOS and EOS.
        overlong: what is done with longer sentences: ``error`` refuses them, ``truncate`` keeps their first
            `max_tokens` tokens, as the tokenize stage does.

    Raises:
        DataError: there is no sentence, or one is empty, too long (under ``error``) or not a string.
        ConfigError: `overlong` is neither.
    """
    texts, overlong = checked_texts(texts), checked_overlong(overlong)
    rows = tokenizer.encode_batch(texts)
    if overlong == "truncate":
        rows = [row[:max_tokens] for row in rows]
    for number, (text, row) in enumerate(zip(texts, rows, strict=True), start=1):
        which = f"Sentence {number}" if len(rows) > 1 else "The sentence"
        if not row:
            raise DataError(f"{which} is empty; give a sentence with at least one word.")
        if len(row) > max_tokens:
            shown = text if len(text) <= 40 else text[:40] + "..."
            raise DataError(
                f"{which} ({shown!r}) has {len(row)} tokens, more than the {max_tokens} the model was trained for; "
                'shorten it, or have it cut as in training with overlong="truncate".'
            )
    return rows


def encode_texts(
    texts: Iterable[str],
    tokenizer: Tokenizer,
    max_tokens: int,
    label_B: Sequence[int] | np.ndarray | None = None,
    vector_BH: torch.Tensor | None = None,
    *,
    overlong: GivenOverlong = "error",
) -> Batch:
    """Tokenize texts that a user passed into one batch, in the order given.

    Args:
        texts: the sentences, any iterable of strings.
        tokenizer: the model's tokenizer.
        max_tokens: see `checked_ids`.
        label_B: the class of each sentence, -1 for none; None for no labels at all.
        vector_BH: a vector for each sentence, for a prior that is conditioned on vectors.
        overlong: see `checked_ids`.

    Raises:
        DataError: there is no sentence, one is empty, too long (under ``error``) or not a string, or the number of
            labels or vectors is not that of the sentences.
        ConfigError: `overlong` is neither.
    """
    rows = checked_ids(texts, tokenizer, max_tokens, overlong=overlong)
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
