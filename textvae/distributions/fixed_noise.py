"""Noise that is always the same, to integrate over where there is no closed form."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_PAIRS = 16


def opposite_pairs(like: Tensor) -> Tensor:
    """16 draws of N(0, I) and their opposites, [32, D], for an average that stands for an expectation.

    Whatever is odd in the noise has no error. The rest has the same noise for every sentence, and where sentences do
    not differ neither do their averages: fresh noise would differ, and pass for active units.

    Args:
        like: a tensor whose last axis is D, with the type and the device that are wanted.

    >>> noise = opposite_pairs(torch.zeros(5, 3))
    >>> noise.shape, torch.equal(noise[:16], -noise[16:]), torch.equal(noise, opposite_pairs(torch.ones(3)))
    (torch.Size([32, 3]), True, True)
    """
    half = _fixed(like.shape[-1]).to(like)
    return torch.cat([half, -half])


@lru_cache(maxsize=8)
def _fixed(dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(_PAIRS, dim, generator=generator, dtype=torch.float64)
