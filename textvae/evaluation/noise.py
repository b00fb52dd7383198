"""Random numbers that belong to a sentence, not to the batch it happens to be in.

Evaluating the same sentences in other batches must give the same numbers, so every sentence draws its samples
under a seed of its own, made of the run's seed, its place in the corpus and what the samples are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, unique

import numpy as np
import torch
from torch import Tensor

from textvae.distributions import LatentDistribution
from textvae.models import TextModel

SAMPLE_BLOCK = 128
"""Samples of a sentence drawn under one seed. A constant, so that no memory budget changes a sample."""

BLOCKS = 2**32
"""Room that a stream has for its blocks of samples: more than any sentence has."""


@unique
class Stream(IntEnum):
    """What a sentence's random numbers are for: draws of different streams are independent.

    All of them are listed here, so that no two evaluations share their noise by accident. The likelihood's samples and
    the unsent levels are drawn in blocks of `SAMPLE_BLOCK`: block b under stream + b, for b below `BLOCKS`.
    """

    LIKELIHOOD = 0
    CODES = BLOCKS
    """One code of each sentence: a sample of the aggregated posterior."""
    ANNEALED = 2 * BLOCKS
    """Where the chains of annealed importance sampling begin, and how they move."""
    PILOT = 2 * BLOCKS + 1
    """Chains that step sizes are tuned with."""
    NEAREST = 3 * BLOCKS
    """Samples for the KL to stored codes nearby."""
    UNSENT_LEVELS = 4 * BLOCKS
    """Levels of a code that were not sent and are drawn from the prior instead."""


def sample_blocks(num_samples: int) -> Iterator[tuple[int, int]]:
    """The blocks in which a sentence's samples are drawn: the number of each, and its samples.

    >>> list(sample_blocks(300))
    [(0, 128), (1, 128), (2, 44)]
    """
    for block, start in enumerate(range(0, num_samples, SAMPLE_BLOCK)):
        yield block, min(SAMPLE_BLOCK, num_samples - start)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def sentence_seeds(seed: int, example_ids: np.ndarray, stream: int) -> np.ndarray:
    """A seed for each sentence (splitmix64; Steele et al. 2014), uint64 [B].

    Args:
        seed: of the whole evaluation.
        example_ids: places in the corpus, [B].
        stream: which draw of that sentence it is: a `Stream`, or a block of one; different streams are independent.

    >>> a = sentence_seeds(0, np.array([3, 5]), stream=0)
    >>> bool(a[1] == sentence_seeds(0, np.array([5]), stream=0)[0]), len(set(a))
    (True, 2)
    """
    state = _mix(np.full(len(example_ids), seed, dtype=np.int64).astype(np.uint64))
    state = _mix(state ^ np.uint64(stream))
    return _mix(state ^ np.asarray(example_ids).astype(np.uint64))


def _mix(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        x = x + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def draw(
    posterior: LatentDistribution,
    example_ids: np.ndarray,
    seed: int,
    num_samples: int,
    stream: int = Stream.LIKELIHOOD,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Samples of each sentence's q(z|x) and their log-densities, each sentence under its own seed.

    Args:
        posterior: batch shape [B].
        example_ids: places in the corpus, [B].
        seed: of the whole evaluation.
        num_samples: S.
        stream: see `sentence_seeds`.
        device: where the posterior's parameters are.

    Returns:
        z [S, B, D] and log q(z|x) [S, B] in nats. The global generator is left in another state; see `own_randomness`.
    """
    rows = _seeded_rows(posterior.source, example_ids, seed, stream, device)
    drawn = [row.rsample_and_log_prob((num_samples,)) for row in rows]
    # Moving what was drawn may take gradients of the decoder, which are taken for all sentences at once.
    return posterior.carried(torch.stack([x for x, _ in drawn], 1), torch.stack([log_q for _, log_q in drawn], 1))


def draw_codes(
    posterior: LatentDistribution,
    example_ids: np.ndarray,
    seed: int,
    num_samples: int,
    stream: int = Stream.LIKELIHOOD,
    device: torch.device | str = "cpu",
) -> Tensor:
    """The samples of `draw`, z [S, B, D], without their log-densities, which an implicit posterior does not have."""
    rows = _seeded_rows(posterior, example_ids, seed, stream, device)
    return torch.stack([row.rsample((num_samples,)) for row in rows], 1)


def _seeded_rows(
    posterior: LatentDistribution, example_ids: np.ndarray, seed: int, stream: int, device: torch.device | str
) -> Iterator[LatentDistribution]:
    """Each sentence's q(z|x), as the global generator is given that sentence's seed."""
    generator = _default_generator(torch.device(device))
    for row, sentence_seed in enumerate(sentence_seeds(seed, example_ids, stream).tolist()):
        generator.manual_seed(sentence_seed)
        yield posterior.rows(row)


def _default_generator(device: torch.device) -> torch.Generator:
    """The generator that distributions draw from; `torch.manual_seed` would format a stack trace at every call."""
    if device.type == "cuda":
        torch.cuda.init()
        return torch.cuda.default_generators[device.index or 0]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    return torch.default_generator


@contextmanager
def own_randomness(model: TextModel) -> Iterator[None]:
    """No gradients and no dropout inside; afterwards the model's mode and the global random state are as before.

    So an evaluation in the middle of a training changes nothing of it.
    """
    was_training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            yield
    finally:
        model.train(was_training)
