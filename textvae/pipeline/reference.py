"""A fixed trial, by which a run is planned where the plan must not depend on the machine."""

from __future__ import annotations

from textvae.pipeline.proposal import Rates, Trial

REFERENCE = Trial(
    "cpu",
    1_000_000.0,
    {
        64: Rates(20_000.0, 40_000.0, 100_000.0, 20_000.0),
        128: Rates(10_000.0, 20_000.0, 50_000.0, 10_000.0),
        192: Rates(7_000.0, 14_000.0, 35_000.0, 7_000.0),
        256: Rates(5_000.0, 10_000.0, 25_000.0, 5_000.0),
        512: Rates(2_500.0, 5_000.0, 12_500.0, 2_500.0),
    },
)
"""Two cores of an AMD EPYC."""
