"""Made-up trials of a machine, so that plans of `textvae new` in tests do not depend on the machine they run on."""

from __future__ import annotations

from textvae.pipeline.budget import SIZES
from textvae.pipeline.proposal import Rates, Trial


def trial_of(tokens_per_second: float) -> Trial:
    """A machine that trains the smallest model at this speed, and larger ones in proportion to their width."""
    rates = {}
    for size in SIZES:
        train = tokens_per_second * SIZES[0].hidden / size.hidden
        rates[size.hidden] = Rates(train, 2 * train, 5 * train, train)
    return Trial("cpu", 50.0 * tokens_per_second, rates)


TRIAL = trial_of(20_000)
"""About two cores of 2020."""
