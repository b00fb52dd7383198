"""Fixed noise, for estimating expectations that have no closed form."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_PAIRS = 16


def opposite_pairs(like: Tensor) -> Tensor:
    """16 fixed draws of N(0, I) and their negatives, [32, D] (antithetic samples), to estimate expectations.

    Averages of odd functions of the noise are exactly zero. All sentences use the same noise, so that sentences with
    the same distribution get the same estimate. With fresh noise the estimates would vary, and the variance between
    sentences would count as active units.

    Args:
        like: a tensor with the dtype and device of the result, whose last axis is D.

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
