"""The leapfrog integrator of Hamilton's equations, and the interface of a density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from textvae.samplers.space import EUCLIDEAN, Space


@dataclass(frozen=True)
class Point:
    """Positions with their log-densities and gradients; every row [...] is an independent chain.

    Attributes:
        position: [..., D].
        value: log-densities up to a constant, nats, [...].
        gradient: gradients of the values with respect to the positions, [..., D].
        parts: further results at the positions, each [...] or [..., D], which are kept with them.
    """

    position: Tensor
    value: Tensor
    gradient: Tensor
    parts: tuple[Tensor, ...] = ()

    def where(self, chosen: Tensor, other: Point) -> Point:
        """These rows where `chosen` [...] is true, the rows of `other` elsewhere."""

        def pick(one: Tensor, two: Tensor) -> Tensor:
            return torch.where(chosen if one.dim() == chosen.dim() else chosen.unsqueeze(-1), one, two)

        return Point(
            pick(self.position, other.position),
            pick(self.value, other.value),
            pick(self.gradient, other.gradient),
            tuple(pick(one, two) for one, two in zip(self.parts, other.parts, strict=True)),
        )


Density = Callable[[Tensor], Point]
"""A function from positions [..., D] to their `Point`."""


def density_of(log_density: Callable[[Tensor], Tensor]) -> Density:
    """A `Density` from a differentiable function of positions [..., D] to log-densities [...], row by row.

    >>> point = density_of(lambda x: -0.5 * x.square().sum(-1))(torch.tensor([[1.0, 2.0]]))
    >>> point.value.tolist(), point.gradient.tolist()
    ([-2.5], [[-1.0, -2.0]])
    """

    def density(position: Tensor) -> Point:
        with torch.enable_grad():
            position = position.detach().requires_grad_()
            value = log_density(position)
            # A uniform log-density does not depend on the position, and so has no graph.
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
    """Integrate Hamilton's equations: half a kick, then alternating drifts and kicks, and half a kick at the end.

    Neal 2011 (arXiv 1206.1901), section 2.3. A kick changes the momentum, a drift the position. Each preserves volume,
    and the path is reversible: the same steps with the momentum negated lead back. The error of the energy is of order
    `step_size` squared. Each step costs one gradient.

    Args:
        density: the log-density whose gradient is the force.
        point: the starting point.
        momentum: tangential to the space, unit mass, [..., D].
        step_size: broadcastable to [..., D]. In Euclidean space, different sizes of dimensions amount to a diagonal
            mass matrix.
        steps: number of steps.
        space: the space in which positions move.

    Returns:
        the last point, and the momentum there.
    """
    momentum = momentum + 0.5 * step_size * space.tangent(point.position, point.gradient)
    for step in range(steps):
        position, momentum = space.drift(point.position, momentum, step_size)
        point = density(position)
        # The half kicks at the end of a step and at the beginning of the next are one full kick.
        kick = step_size if step < steps - 1 else 0.5 * step_size
        momentum = momentum + kick * space.tangent(point.position, point.gradient)
    return point, momentum
