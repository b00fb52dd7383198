"""Where sampled words get their randomness from."""

from __future__ import annotations

import numpy as np
import torch

_WORDS = 1
"""Tells the stream of words from that of codes."""


def word_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for sampled words, independent of what `torch.manual_seed(seed)` gives the codes.

    Two generators with one seed put out the same bits: words would then depend on the noise their code was made of.

    >>> import torch
    >>> alike = torch.Generator().manual_seed(0)
    >>> torch.equal(torch.rand(3, generator=word_generator(0)), torch.rand(3, generator=alike))
    False
    """
    # The seed itself may be negative, or wider than 64 bits' positive half.
    state = np.random.SeedSequence([seed % 2**64, _WORDS]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))
