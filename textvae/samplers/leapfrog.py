"""Hamilton's equations by the leapfrog scheme, and what a sampler knows of a density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from textvae.samplers.space import EUCLIDEAN, Space


@dataclass(frozen=True)
class Point:
    """Positions and what was computed there; every row [...] is a chain of its own.

    Attributes:
        position: [..., D].
        value: log-densities up to a constant, nats, [...].
        gradient: of the values in the positions, [..., D].
        parts: more of what was computed on the way, each [...] or [..., D], to be kept with the position.
    """

    position: Tensor
    value: Tensor
    gradient: Tensor
    parts: tuple[Tensor, ...] = ()

    def where(self, chosen: Tensor, other: Point) -> Point:
        """These rows where `chosen` [...], the other's elsewhere."""

        def pick(one: Tensor, two: Tensor) -> Tensor:
            return torch.where(chosen if one.dim() == chosen.dim() else chosen.unsqueeze(-1), one, two)

        return Point(
            pick(self.position, other.position),
            pick(self.value, other.value),
            pick(self.gradient, other.gradient),
            tuple(pick(one, two) for one, two in zip(self.parts, other.parts, strict=True)),
        )


Density = Callable[[Tensor], Point]
"""Positions [..., D] to the point there."""


def density_of(log_density: Callable[[Tensor], Tensor]) -> Density:
    """A density from a differentiable function of positions [..., D] to values [...]; rows must not mix.

    >>> point = density_of(lambda x: -0.5 * x.square().sum(-1))(torch.tensor([[1.0, 2.0]]))
    >>> point.value.tolist(), point.gradient.tolist()
    ([-2.5], [[-1.0, -2.0]])
    """

    def density(position: Tensor) -> Point:
        with torch.enable_grad():
            position = position.detach().requires_grad_()
            value = log_density(position)
            # A uniform density is no function of the position.
            flat = not value.requires_grad
            gradient = torch.zeros_like(position) if flat else torch.autograd.grad(value.sum(), position)[0]
        return Point(position.detach(), value.detach(), gradient)

    return density


def leapfrog(
    density: Density,
    point: Point,
    momentum: Tensor,
    step_size: Tensor | float,
    steps: int,
    space: Space = EUCLIDEAN,
) -> tuple[Point, Tensor]:
    """Half a kick, then drifts and kicks in turn, the last kick a half one (Neal 2011, arXiv 1206.1901, section 2.3).

    Each part preserves volume; the same steps after the momentum has been turned around lead
    back; the energy's error is of the order of `step_size` squared. One gradient a step.

    Args:
        density: its gradient is the force.
        point: where to start.
        momentum: [..., D], of unit mass, along the space.
        step_size: broadcastable to [..., D]; one for each dimension stands for a diagonal mass, in Euclidean space.
        steps: how many.
        space: in which positions move.

    Returns:
        the last point, and the momentum there.
    """
    momentum = momentum + 0.5 * step_size * space.tangent(point.position, point.gradient)
    for step in range(steps):
        position, momentum = space.drift(point.position, momentum, step_size)
        point = density(position)
        # Two half kicks in one, but for the last.
        kick = step_size if step < steps - 1 else 0.5 * step_size
        momentum = momentum + kick * space.tangent(point.position, point.gradient)
    return point, momentum
