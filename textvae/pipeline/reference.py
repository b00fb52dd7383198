"""A fixed trial, by which a run is planned where the plan must not depend on the machine."""

from __future__ import annotations

from textvae.pipeline.proposal import Rates, Trial

REFERENCE = Trial(
    "cpu",
    5_000_000.0,
    {
        64: Rates(train=11_500.0, read=32_000.0, score=40_000.0, generate=27_500.0),
        128: Rates(train=6_500.0, read=20_000.0, score=26_500.0, generate=19_000.0),
        192: Rates(train=4_300.0, read=13_500.0, score=18_000.0, generate=12_400.0),
        256: Rates(train=2_800.0, read=9_300.0, score=13_400.0, generate=10_500.0),
        512: Rates(train=1_350.0, read=4_300.0, score=6_500.0, generate=5_400.0),
    },
)
"""One core of an AMD EPYC: rounded results of `textvae.pipeline.trial.measure` on the demo's corpus, words of a
vocabulary of 9,000, in batches of 1,024 tokens, by torch 2.13 with one thread. A change of a number changes every plan
that is made by it."""
