"""The walk x -> z -> x leaves the law of the data as it is where q(z|x) is exact (oracle O2), else it does not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.oracles import markov_mixture as oracle
from textvae.errors import ConfigError
from textvae.generation import SamplingConfig
from textvae.tasks.markov_chain import walk

CHAINS = 6000


def shares(rows: list[tuple[int, ...]]) -> np.ndarray:
    counted = Counter(rows)
    return np.array([counted[sentence] for sentence in oracle.SENTENCES]) / len(rows)


def chi_squared(found_N: np.ndarray, expected_N: np.ndarray) -> float:
    return float((CHAINS * (found_N - expected_N) ** 2 / expected_N).sum())


class Walker(oracle.MarkovMixtureModel):
    """What a task asks of a model beyond the oracle's contract."""

    def limited(self, decoding: SamplingConfig) -> SamplingConfig:
        return decoding.model_copy(update={"max_tokens": oracle.LENGTH})


def test_the_data_are_the_stationary_law() -> None:
    """Chi-squared with 63 degrees of freedom: mean 63, standard deviation 11; below 63 + 4 * 11."""
    exact = oracle.exact_log_p().exp().numpy()
    chains = walk(Walker(), oracle.sample_sentences(CHAINS), 3, seed=1)
    for step in (0, 2):
        assert chi_squared(shares([tuple(chain[step]) for chain in chains]), exact) < 63 + 4 * 11


def test_another_start_is_forgotten() -> None:
    exact = oracle.exact_log_p().exp().numpy()
    start = [oracle.SENTENCES[0]] * CHAINS
    chains = walk(Walker(), start, 12, seed=2)
    first, last = (chi_squared(shares([tuple(chain[step]) for chain in chains]), exact) for step in (0, 11))
    assert last < 63 + 4 * 11 < first


def test_a_wrong_posterior_has_another_law() -> None:
    exact = oracle.exact_log_p().exp().numpy()
    chains = walk(Walker(oracle.wrong), oracle.sample_sentences(CHAINS), 6, seed=3)
    assert chi_squared(shares([tuple(chain[5]) for chain in chains]), exact) > 63 + 8 * 11


def test_a_walk_has_steps() -> None:
    with pytest.raises(ConfigError, match="steps is 0; expected a whole number from 1"):
        walk(Walker(), oracle.SENTENCES[:2], 0)
    again = [walk(Walker(), oracle.SENTENCES[:5], 2, seed=7) for _ in range(2)]
    assert again[0] == again[1] and len(again[0]) == 5 and all(len(chain) == 2 for chain in again[0])
