"""The random numbers for sampled words: of one stream, or of each sentence by itself."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.layers.keyed_noise import derived_keys, keyed_uniform

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


class RowNoise:
    """Random numbers for sampled words that belong to the sentence: a sentence's words do not depend on the other
    sentences of its batch.

    Args:
        seed: of all sentences.
        example_ids: a number of each sentence, int64 [N].
        device: where the numbers are used.

    Raises:
        ConfigError: the seed is not a whole number from 0 to 2**63 - 1.

    >>> all_three, last = RowNoise(0, np.arange(3)), RowNoise(0, np.array([2]))
    >>> bool(all_three.uniform(5)[2] == last.uniform(5)[0]), bool(last.uniform(5)[0] == last.uniform(6)[0])
    (True, False)
    """

    def __init__(self, seed: int, example_ids: np.ndarray, device: torch.device | str = "cpu") -> None:
        ids_N = torch.as_tensor(np.asarray(example_ids, dtype=np.int64), device=device)
        self._keys_N = derived_keys(derived_keys(ids_N, checked_seed(seed)), _WORDS)

    def __len__(self) -> int:
        return len(self._keys_N)

    def uniform(self, step: int) -> Tensor:
        """A number in (0, 1) for each sentence, float64 [N] with 48 random bits.

        Args:
            step: the position of the word in its sentence.
        """
        high_N, low_N = keyed_uniform(derived_keys(self._keys_N, step), 2).double()
        return ((high_N * 2.0**24).floor() + low_N) * 2.0**-24

    def rows(self, part: slice) -> RowNoise:
        """The numbers of some of the sentences."""
        chosen = RowNoise.__new__(RowNoise)
        chosen._keys_N = self._keys_N[part]
        return chosen


WordNoise: TypeAlias = torch.Generator | RowNoise
"""A source of random numbers for sampled words."""
