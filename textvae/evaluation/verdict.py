"""The verdict on posterior collapse: whether z is used, in one sentence with the numbers."""

from __future__ import annotations

import math
from typing import NamedTuple

MIN_INFORMATION = 1.0
"""Nats of mutual information below which a model counts as collapsed."""
MIN_ACTIVE = 2
"""Active units below which a model counts as collapsed."""
MIN_RISE = 1.0
"""Nats by which another sentence's code must raise the reconstruction NLL; below it a model counts as collapsed."""
GOOD_SHARE, GOOD_BLEU, FAIR_BLEU = 0.5, 60.0, 20.0
"""Reconstruction is good where so many sentences come back exactly or BLEU is so high; fair from the lower BLEU on;
else it is poor."""


class Verdict(NamedTuple):
    """`collapsed` is None for a model without z, and where none of the three numbers was measured."""

    collapsed: bool | None
    sentence: str


def verdict_of(
    *,
    latent_dim: int,
    mi: float | None = None,
    mi_sentences: int | None = None,
    active_units: int | None = None,
    permuted_rise: float | None = None,
) -> Verdict:
    """Collapsed: MI below 1 nat, or fewer than 2 active units, or a permuted z costs less than 1 nat.

    A number that is None is not judged. The MI of N sentences is at most log N, and in expectation at most the
    information about any number of sentences: it is told as "at least". The caps of a few hundred sentences are far
    above 1 nat; where there are so few sentences that half of log N is below it, that is expected.

    Args:
        latent_dim: D.
        mi: mutual information, nats.
        mi_sentences: from how many sentences; None if unknown.
        active_units: number of them.
        permuted_rise: of the reconstruction NLL, nats.

    >>> verdict_of(latent_dim=32, mi=5.23, mi_sentences=1424, active_units=30).sentence
    'Not collapsed: z tells at least 5.2 nats about its sentence (from 1,424 sentences) and 30 of 32 units are active.'
    >>> verdict_of(latent_dim=32, mi=0.02, active_units=0, permuted_rise=0.0).collapsed
    True
    """
    if latent_dim == 0:
        return Verdict(None, "A language model without z: its likelihood is exact, and there is nothing to collapse.")
    checks = []
    if mi is not None:
        needed = MIN_INFORMATION
        if mi_sentences is not None:
            needed = min(needed, 0.5 * math.log(mi_sentences))
        checks.append(_information(mi, mi_sentences, needed))
    if active_units is not None:
        # A model with one latent dimension can have at most one active unit.
        least = min(MIN_ACTIVE, latent_dim)
        units = f"{active_units} of {latent_dim} {'unit is' if active_units == 1 else 'units are'} active"
        checks.append((active_units < least, units, f"{units} (at least {least} expected)"))
    if permuted_rise is not None:
        costs = f"another sentence's z costs {_nats(permuted_rise, MIN_RISE)}"
        checks.append((permuted_rise < MIN_RISE, costs, f"{costs} (at least {MIN_RISE:g} expected)"))
    if not checks:
        return Verdict(None, "Nothing was measured that could tell whether z is used.")
    failed = [told for bad, _, told in checks if bad]
    if failed:
        return Verdict(True, f"Collapsed: {_join(failed)}.")
    return Verdict(False, f"Not collapsed: {_join([told for _, told, _ in checks])}.")


def _information(mi: float, sentences: int | None, needed: float) -> tuple[bool, str, str]:
    """Whether the information is too little, and how it is told if it is enough and if it is not."""
    told, wanted = f"{_nats(mi, needed)} about its sentence", f"at least {needed:.2g} expected"
    if sentences is None:
        return mi < needed, f"z tells at least {told}", f"z tells {told} ({wanted})"
    origin = f"from {sentences:,} sentences"
    return mi < needed, f"z tells at least {told} ({origin})", f"z tells {told} ({origin}; {wanted})"


def judge_reconstruction(exact_match: float, bleu: float | None = None) -> str:
    """How well sentences are rebuilt from their codes alone, in words.

    Args:
        exact_match: share of sentences that come back to the last token.
        bleu: of the reconstructions, 0 to 100; None where it was not measured: then the share alone decides.

    >>> judge_reconstruction(0.01, 9.2)
    'Reconstruction is poor: 1% of sentences come back, BLEU 9.'
    >>> judge_reconstruction(0.62, 80.0), judge_reconstruction(0.05, 31.0)[:24]
    ('Reconstruction is good: 62% of sentences come back, BLEU 80.', 'Reconstruction is fair: ')
    """
    fair = exact_match >= FAIR_BLEU / 100 if bleu is None else bleu >= FAIR_BLEU
    good = exact_match >= GOOD_SHARE or (bleu is not None and bleu >= GOOD_BLEU)
    word = "good" if good else "fair" if fair else "poor"
    measured = "" if bleu is None else f", BLEU {bleu:.0f}"
    # A share that rounds to none or to all is not written so unless it is.
    share = f"{exact_match:.0%}" if exact_match in (0.0, 1.0) or 0.005 <= exact_match < 0.995 else f"{exact_match:.2%}"
    return f"Reconstruction is {word}: {share} of sentences come back{measured}."


def _nats(value: float, threshold: float) -> str:
    """Nats with one decimal, or with more where a value below the threshold would be rounded up to it.

    >>> [_nats(value, 1.0) for value in (-0.01, 0.94, 0.96, 0.99999, 1.0, 1.04)]
    ['0.0 nats', '0.9 nats', '0.96 nats', '0.99999 nats', '1.0 nat', '1.0 nat']
    """
    decimals = 1
    while value < threshold <= round(value, decimals):
        decimals += 1
    # + 0.0 turns "-0.0" into "0.0": near collapse the estimates scatter around zero.
    rounded = round(value, decimals) + 0.0
    return f"{rounded:.{decimals}f} nat{'' if rounded == 1 else 's'}"


def _join(parts: list[str]) -> str:
    if len(parts) < 3:
        return " and ".join(parts)
    return ", ".join(parts[:-1]) + ", and " + parts[-1]
