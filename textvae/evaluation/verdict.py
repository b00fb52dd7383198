"""The verdict on posterior collapse: whether z is used, in one sentence with the numbers."""

from __future__ import annotations

from typing import NamedTuple

MIN_INFORMATION = 1.0
"""Nats of mutual information below which a model counts as collapsed."""
MIN_ACTIVE = 2
"""Active units below which a model counts as collapsed."""
MIN_RISE = 1.0
"""Nats by which another sentence's code must raise the reconstruction NLL; below it a model counts as collapsed."""


class Verdict(NamedTuple):
    """`collapsed` is None for a model without z, and where none of the three numbers was measured."""

    collapsed: bool | None
    sentence: str


def judge(
    *,
    latent_dim: int,
    mi: float | None = None,
    active_units: int | None = None,
    permuted_rise: float | None = None,
) -> Verdict:
    """Collapsed: MI below 1 nat, or fewer than 2 active units, or a permuted z costs less than 1 nat.

    A number that is None is not judged.

    >>> judge(latent_dim=32, mi=5.23, active_units=30).sentence
    'Not collapsed: z tells 5.2 nats about its sentence and 30 of 32 units are active.'
    >>> judge(latent_dim=32, mi=0.02, active_units=0, permuted_rise=0.0).collapsed
    True
    """
    if latent_dim == 0:
        return Verdict(None, "A language model without z: its likelihood is exact, and there is nothing to collapse.")
    checks = []
    if mi is not None:
        checks.append(
            (
                mi < MIN_INFORMATION,
                f"z tells {_nats(mi, MIN_INFORMATION)} about its sentence",
                f"at least {MIN_INFORMATION:g}",
            )
        )
    if active_units is not None:
        # A model with one latent dimension can have at most one active unit.
        needed = min(MIN_ACTIVE, latent_dim)
        units = f"{active_units} of {latent_dim} {'unit is' if active_units == 1 else 'units are'} active"
        checks.append((active_units < needed, units, f"at least {needed}"))
    if permuted_rise is not None:
        costs = f"another sentence's z costs {_nats(permuted_rise, MIN_RISE)}"
        checks.append((permuted_rise < MIN_RISE, costs, f"at least {MIN_RISE:g}"))
    if not checks:
        return Verdict(None, "Nothing was measured that could tell whether z is used.")
    failed = [f"{what} ({wanted} expected)" for bad, what, wanted in checks if bad]
    if failed:
        return Verdict(True, f"Collapsed: {_join(failed)}.")
    return Verdict(False, f"Not collapsed: {_join([what for _, what, _ in checks])}.")


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
