"""Hamiltonian Monte Carlo with randomized step sizes and path lengths."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from textvae.samplers.leapfrog import Density, Point, leapfrog
from textvae.samplers.space import EUCLIDEAN, Space

TARGET_ACCEPTANCE = 0.8
"""A compromise: 0.65 is optimal in many dimensions (Neal 2011; Beskos et al. 2013), and higher rates are safer."""

_LOG_STEP_RANGE = (-9.0, 2.0)


@dataclass(frozen=True)
class Transition:
    """One step of all chains.

    Attributes:
        point: the state of the chains after the step.
        probability: the acceptance probability of each proposal, [...].
        accepted: whether it was accepted, [...].
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
    """One HMC transition: a leapfrog path, then a Metropolis test. It leaves the density invariant.

    Duane et al. 1987; Neal 2011 (arXiv 1206.1901). All random numbers are arguments, so the result is deterministic.
    Step size and path length may be random if they do not depend on the state of the chain.

    Args:
        density: the density to leave invariant.
        point: the state of the chains, evaluated under `density`.
        momentum: standard normal numbers, [..., D]; only the component tangential to the space is used.
        uniform: uniform numbers in (0, 1) for the test, [...].
        step_size: broadcastable to [..., D].
        steps: number of leapfrog steps, each one gradient.
        space: the space in which chains move.
    """
    momentum = space.tangent(point.position, momentum)
    there, moved = leapfrog(density, point, momentum, step_size, steps, space)
    change = there.value - point.value + 0.5 * (momentum.square() - moved.square()).sum(-1)
    # A path that diverged (overflow or NaN) is rejected.
    sound = there.value.isfinite() & there.gradient.isfinite().all(-1) & ~change.isnan()
    change = torch.where(sound, change, -torch.inf)
    accepted = uniform.log() < change
    return Transition(there.where(accepted, point), change.clamp_max(0.0).exp(), accepted)


def jittered(step_size: Tensor, uniform: Tensor, share: float = 0.3) -> Tensor:
    """Random step sizes within `share` of the given ones. With a fixed one, paths on a Gaussian may be periodic.

    >>> jittered(torch.tensor([1.0]), torch.tensor([1.0])).item()
    1.2999999523162842
    """
    return step_size * (1.0 + share * (2.0 * uniform - 1.0))


def adapted(step_size: Tensor, probability: Tensor, target: float = TARGET_ACCEPTANCE, rate: float = 0.1) -> Tensor:
    """Increase step sizes where the mean acceptance is above the target, else decrease them (Robbins & Monro 1951).

    Args:
        step_size: positive, [1, ...]: chains along the first axis share one step size.
        probability: acceptance probabilities, [S, ...].
        target: the target of their mean.
        rate: the change of the logarithm for each unit of difference from the target.
    """
    log_step = step_size.log() + rate * (probability.mean(0, keepdim=True) - target)
    return log_step.clamp(*_LOG_STEP_RANGE).exp()


@dataclass(frozen=True)
class Chains:
    """The result of `hmc`.

    Attributes:
        positions: the draws, [draws, S, ..., D].
        acceptance: mean acceptance probability after burn-in, [S, ...].
        step_size: the step size at the end of burn-in, [1, ...].
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
    """Draws from a density, with many chains at once.

    During burn-in the step size is adapted to the target acceptance; afterwards it is fixed, except for a jitter of
    30 % in each chain at every transition. Paths have between half and one and a half times `steps` leapfrog steps.

    Args:
        density: the density, up to a constant.
        start: initial positions, [S, ..., D]; chains along the first axis share a step size.
        draws: transitions after burn-in, each of which gives a draw.
        burn_in: transitions before them.
        step_size: the initial step size.
        steps: average number of leapfrog steps of a path.
        target: target acceptance probability.
        generator: the random generator; the global one if None.
        space: the space in which chains move.

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
            # A decreasing rate, so that the step size converges.
            size = adapted(size, step.probability, target, rate=(1.0 + number) ** -0.5)
        else:
            kept.append(point.position)
            total = total + step.probability
    return Chains(torch.stack(kept), total / draws, size)


def path_length(steps: int, uniform: float) -> int:
    """A random number of steps between half and one and a half times `steps`, all equally likely.

    Args:
        steps: the average.
        uniform: a uniform number in [0, 1).

    >>> [path_length(5, u) for u in (0.0, 0.5, 0.999)], path_length(1, 0.5)
    ([3, 5, 7], 1)
    """
    shortest = max(1, (steps + 1) // 2)
    return shortest + int(uniform * (2 * (steps - shortest) + 1))
