"""Random numbers that depend on the sentence, not on its batch.

Evaluating the same sentences in other batches must give the same results. So each sentence's samples are drawn under
a seed that is computed from the run's seed, the sentence's place in the corpus and the purpose of the samples.
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
"""Samples of a sentence drawn under one seed. A constant, so that samples do not depend on the memory budget."""

BLOCKS = 2**32
"""Stream numbers reserved for the blocks of one purpose: more than any sentence needs."""


@unique
class Stream(IntEnum):
    """The purpose of a sentence's random numbers: draws of different streams are independent.

    All streams are listed here, so that no two evaluations share their noise by accident. The likelihood's samples and
    the unsent levels are drawn in blocks of `SAMPLE_BLOCK`: block b under stream + b, for b below `BLOCKS`.
    """

    LIKELIHOOD = 0
    CODES = BLOCKS
    """One code of each sentence: a sample of the aggregated posterior."""
    ANNEALED = 2 * BLOCKS
    """Starting points and moves of the chains of annealed importance sampling."""
    PILOT = 2 * BLOCKS + 1
    """Pilot chains, by which step sizes are tuned."""
    NEAREST = 3 * BLOCKS
    """Samples for the KL to the nearest stored codes."""
    UNSENT_LEVELS = 4 * BLOCKS
    """Levels of a hierarchical code that were not sent and are drawn from the prior instead."""
    COMPLETIONS = 5 * BLOCKS
    """Codes by which completions of a text are ranked."""


def sample_blocks(num_samples: int) -> Iterator[tuple[int, int]]:
    """The blocks in which a sentence's samples are drawn: index and number of samples of each.

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
        stream: the purpose of the draw: a `Stream`, or a block of one. Different streams are independent.

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
        z [S, B, D] and log q(z|x) [S, B] in nats. The state of the global generator changes; see `own_randomness`.
    """
    rows = _seeded_rows(posterior.source, example_ids, seed, stream, device)
    drawn = [row.rsample_and_log_prob((num_samples,)) for row in rows]
    # Some posteriors transform their draws by gradients of the decoder; these are computed for all sentences at once.
    return posterior.carried(torch.stack([x for x, _ in drawn], 1), torch.stack([log_q for _, log_q in drawn], 1))


def draw_codes(
    posterior: LatentDistribution,
    example_ids: np.ndarray,
    seed: int,
    num_samples: int,
    stream: int = Stream.LIKELIHOOD,
    device: torch.device | str = "cpu",
) -> Tensor:
    """The samples of `draw`, z [S, B, D], without log-densities, which an implicit posterior does not have."""
    rows = _seeded_rows(posterior, example_ids, seed, stream, device)
    return torch.stack([row.rsample((num_samples,)) for row in rows], 1)


def _seeded_rows(
    posterior: LatentDistribution, example_ids: np.ndarray, seed: int, stream: int, device: torch.device | str
) -> Iterator[LatentDistribution]:
    """Each sentence's q(z|x); the global generator is seeded for a sentence before its q is yielded."""
    generator = _default_generator(torch.device(device))
    for row, sentence_seed in enumerate(sentence_seeds(seed, example_ids, stream).tolist()):
        generator.manual_seed(sentence_seed)
        yield posterior.rows(row)


def _default_generator(device: torch.device) -> torch.Generator:
    """The generator that distributions draw from. Faster than `torch.manual_seed`, which formats a stack trace."""
    if device.type == "cuda":
        torch.cuda.init()
        return torch.cuda.default_generators[device.index or 0]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    return torch.default_generator


@contextmanager
def own_randomness(model: TextModel) -> Iterator[None]:
    """Gradients and dropout are off inside; afterwards the model's mode and the global random state are restored.

    So an evaluation during training does not change the training.
    """
    was_training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            yield
    finally:
        model.train(was_training)
