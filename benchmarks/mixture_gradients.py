"""The gradient of a mixture posterior's weights by each estimator, over distances of components and dimensions.

    python -m benchmarks.mixture_gradients

q(z) = .3 N(m_1, I) + .7 N(m_2, I) in D dimensions, and a linear function whose mean differs by 1 between the two
components, as the noisiest direction that an estimator has to find. The exact derivative of E f(z) with respect to the
first logit is .3 * .7 = .21. Each draw is one gradient in float64; a stratified one decodes both components.
"""

from __future__ import annotations

import argparse
import itertools
import json
from typing import Any

import torch
from torch import Tensor

from benchmarks import pages, results_file
from textvae.distributions import Estimator, GaussianMixture

WEIGHT = 0.3
EXACT = WEIGHT * (1 - WEIGHT)
SEPARATIONS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
DIMENSIONS = (1, 2, 8, 32)
CALLS: dict[Estimator, int] = {"pathwise": 1, "stratified": 2, "score": 1}
"""Estimator -> the codes that it decodes for a draw, with two components."""
_TOGETHER = 4000
"""Draws that are computed at once."""


def gradients(estimator: Estimator, separation: float, dims: int, draws: int) -> Tensor:
    """The derivative with respect to the first logit in each draw, [draws].

    Args:
        estimator: of the weights' gradient.
        separation: distance of the two means, in standard deviations of a component.
        dims: D.
        draws: independent ones.
    """
    direction = torch.full((dims,), dims**-0.5, dtype=torch.float64)
    logits = torch.tensor([WEIGHT, 1 - WEIGHT], dtype=torch.float64).log().repeat(draws, 1).requires_grad_()
    loc = (separation * torch.stack([direction, torch.zeros_like(direction)])).expand(draws, 2, dims)
    z, _, log_weight = GaussianMixture(logits, loc, torch.ones_like(loc), estimator).weighted_samples(1)
    value = (log_weight.exp() * (z @ direction) / separation).sum()
    (found,) = torch.autograd.grad(value, logits)
    return found[:, 0]


def row_of(estimator: Estimator, separation: float, dims: int, draws: int, seed: int) -> dict[str, Any]:
    """The row of a cell."""
    torch.manual_seed(seed)
    found = torch.cat([gradients(estimator, separation, dims, _TOGETHER) for _ in range(draws // _TOGETHER)])
    error = (found.std() / len(found) ** 0.5).item()
    mean, sd = found.mean().item(), found.std().item()
    return {
        "name": estimator,
        "seed": seed,
        "separation": separation,
        "dimensions": dims,
        "draws": len(found),
        "exact": EXACT,
        "mean": round(mean, 4),
        "mean_se": round(error, 4),
        "off_in_errors": round((mean - EXACT) / error, 1),
        "sd": round(sd, 3),
        "sd_at_equal_decoding": round(sd * CALLS[estimator] ** 0.5, 3),
        "largest": round(found.abs().max().item(), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=40_000, help=f"a multiple of {_TOGETHER}")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = []
    for separation, dims, estimator in itertools.product(SEPARATIONS, DIMENSIONS, CALLS):
        rows.append(row_of(estimator, separation, dims, given.draws, given.seed))
        print(json.dumps(rows[-1]), flush=True)
    results_file.write("mixture_gradients", rows, command="python -m benchmarks.mixture_gradients")
    pages.write_all()


if __name__ == "__main__":
    main()
