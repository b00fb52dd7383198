"""The random generator for sampled words."""

from __future__ import annotations

import numpy as np
import torch

from textvae.arguments import checked_seed

_WORDS = 1
"""Added to the seed, so that words and codes have different random streams."""


def word_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for sampled words, independent of what `torch.manual_seed(seed)` gives the codes.

    Two generators with one seed produce the same bits: a sentence's words would depend on the noise of its code.

    Raises:
        ConfigError: the seed is not a whole number from 0 to 2**63 - 1.

    >>> import torch
    >>> alike = torch.Generator().manual_seed(0)
    >>> torch.equal(torch.rand(3, generator=word_generator(0)), torch.rand(3, generator=alike))
    False
    """
    state = np.random.SeedSequence([checked_seed(seed), _WORDS]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))
