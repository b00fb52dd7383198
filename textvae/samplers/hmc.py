"""Hamiltonian Monte Carlo with step sizes and path lengths that vary."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from textvae.samplers.leapfrog import Density, Point, leapfrog
from textvae.samplers.space import EUCLIDEAN, Space

TARGET_ACCEPTANCE = 0.8
"""Between the 0.65 that is best for far steps in many dimensions and the 0.9 that wastes none (Neal 2011; Beskos et
al. 2013)."""

_LOG_STEP_RANGE = (-9.0, 2.0)


@dataclass(frozen=True)
class Transition:
    """One step of all chains.

    Attributes:
        point: where they are now.
        probability: with which the proposal was to be accepted, [...].
        accepted: whether it was, [...].
    """

    point: Point
    probability: Tensor
    accepted: Tensor


def transition(
    density: Density,
    point: Point,
    momentum: Tensor,
    uniform: Tensor,
    step_size: Tensor | float,
    steps: int,
    space: Space = EUCLIDEAN,
) -> Transition:
    """A leapfrog path, accepted or not: leaves the density invariant, and is reversible under it.

    Duane et al. 1987; Neal 2011 (arXiv 1206.1901). All randomness is handed in, so the result is a function of the
    arguments. Step size and path length may be random, if they do not depend on where the chain is.

    Args:
        density: to leave invariant.
        point: of the chains, under that density.
        momentum: standard normal, [..., D]; the part of it that points along the space is used.
        uniform: in (0, 1), [...].
        step_size: broadcastable to [..., D].
        steps: gradients.
        space: in which chains move.
    """
    momentum = space.tangent(point.position, momentum)
    there, moved = leapfrog(density, point, momentum, step_size, steps, space)
    change = there.value - point.value + 0.5 * (momentum.square() - moved.square()).sum(-1)
    # A path that went where numbers end is rejected like one into a region without probability.
    sound = there.value.isfinite() & there.gradient.isfinite().all(-1) & ~change.isnan()
    change = torch.where(sound, change, -torch.inf)
    accepted = uniform.log() < change
    return Transition(there.where(accepted, point), change.clamp_max(0.0).exp(), accepted)


def jittered(step_size: Tensor, uniform: Tensor, share: float = 0.3) -> Tensor:
    """Step sizes within `share` of the given ones: equal paths are periodic on targets that are nearly Gaussian.

    >>> jittered(torch.tensor([1.0]), torch.tensor([1.0])).item()
    1.2999999523162842
    """
    return step_size * (1.0 + share * (2.0 * uniform - 1.0))


def adapted(step_size: Tensor, probability: Tensor, target: float = TARGET_ACCEPTANCE, rate: float = 0.1) -> Tensor:
    """Step sizes a little larger where more than the target was accepted (Robbins & Monro 1951), else smaller.

    Args:
        step_size: positive, [1, ...]: chains along the first axis share one.
        probability: of acceptance, [S, ...].
        target: of their mean.
        rate: of change, in logarithms.
    """
    log_step = step_size.log() + rate * (probability.mean(0, keepdim=True) - target)
    return log_step.clamp(*_LOG_STEP_RANGE).exp()


@dataclass(frozen=True)
class Chains:
    """What a sampler drew.

    Attributes:
        positions: [draws, S, ..., D].
        acceptance: mean probability of acceptance after burn-in, [S, ...].
        step_size: that burn-in ended with, [1, ...].
    """

    positions: Tensor
    acceptance: Tensor
    step_size: Tensor


@torch.no_grad()
def hmc(
    density: Density,
    start: Tensor,
    *,
    draws: int,
    burn_in: int = 100,
    step_size: float = 0.1,
    steps: int = 10,
    target: float = TARGET_ACCEPTANCE,
    generator: torch.Generator | None = None,
    space: Space = EUCLIDEAN,
) -> Chains:
    """Draws from a density, many chains at once.

    During burn-in the step size is adapted to the target; afterwards it is fixed, but for the jitter of 30 % that each
    chain gets at every transition. Paths have between half and one and a half times `steps` gradients.

    Args:
        density: up to a constant.
        start: [S, ..., D]; chains along the first axis share a step size.
        draws: transitions after burn-in, each of which gives a draw.
        burn_in: transitions before.
        step_size: to begin with.
        steps: gradients of a path, on average.
        target: acceptance.
        generator: of the randomness; the global one when None.
        space: in which chains move.

    >>> from textvae.samplers.leapfrog import density_of
    >>> chains = hmc(density_of(lambda x: -0.5 * x.square().sum(-1)), torch.zeros(50, 2), draws=20)
    >>> chains.positions.shape, chains.acceptance.shape, chains.step_size.shape
    (torch.Size([20, 50, 2]), torch.Size([50]), torch.Size([1]))
    """
    point, kept, total = density(start), [], torch.zeros(start.shape[:-1], dtype=start.dtype, device=start.device)
    size = torch.full((1, *start.shape[1:-1]), step_size, dtype=start.dtype, device=start.device)
    like = {"dtype": start.dtype, "device": start.device, "generator": generator}
    for number in range(burn_in + draws):
        momentum = torch.randn(start.shape, **like)  # type: ignore[call-overload]
        uniform, spread = torch.rand(2, *start.shape[:-1], **like)  # type: ignore[call-overload]
        count = path_length(steps, float(torch.rand((), **like)))  # type: ignore[call-overload]
        step = transition(density, point, momentum, uniform, jittered(size, spread).unsqueeze(-1), count, space)
        point = step.point
        if number < burn_in:
            # Large changes first, then smaller ones.
            size = adapted(size, step.probability, target, rate=(1.0 + number) ** -0.5)
        else:
            kept.append(point.position)
            total = total + step.probability
    return Chains(torch.stack(kept), total / draws, size)


def path_length(steps: int, uniform: float) -> int:
    """Between half and one and a half times as many steps, all equally likely.

    >>> [path_length(5, u) for u in (0.0, 0.5, 0.999)], path_length(1, 0.5)
    ([3, 5, 7], 1)
    """
    shortest = max(1, (steps + 1) // 2)
    return shortest + int(uniform * (2 * (steps - shortest) + 1))
