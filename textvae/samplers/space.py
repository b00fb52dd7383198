"""The spaces in which samplers move codes: R^D, or the unit sphere along great circles."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Space(Protocol):
    """The operations of a space that a leapfrog step needs."""

    def tangent(self, position: Tensor, vector: Tensor) -> Tensor:
        """The projection of a vector [..., D] onto the tangent space at a position [..., D]."""
        ...

    def drift(self, position: Tensor, momentum: Tensor, step_size: Tensor | float) -> tuple[Tensor, Tensor]:
        """Position and momentum after free motion for a time `step_size`, which is broadcastable to [..., D]."""
        ...


class Euclidean:
    """R^D, with free motion along straight lines."""

    def tangent(self, position: Tensor, vector: Tensor) -> Tensor:
        return vector

    def drift(self, position: Tensor, momentum: Tensor, step_size: Tensor | float) -> tuple[Tensor, Tensor]:
        return position + step_size * momentum, momentum


class UnitSphere:
    """The unit sphere, with free motion along great circles, in closed form (Byrne & Girolami 2013, arXiv 1301.6064).

    The step size must be the same in every dimension of a row. Positions are normalized after every step, because
    rounding errors would take them off the sphere.

    >>> pole, east = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])
    >>> position, momentum = UnitSphere().drift(pole, 2.0 * east, torch.pi / 4)
    >>> torch.allclose(position, east, atol=1e-6), torch.allclose(momentum, -2.0 * pole, atol=1e-6)
    (True, True)
    """

    def tangent(self, position: Tensor, vector: Tensor) -> Tensor:
        return vector - (vector * position).sum(-1, keepdim=True) * position

    def drift(self, position: Tensor, momentum: Tensor, step_size: Tensor | float) -> tuple[Tensor, Tensor]:
        speed = momentum.norm(dim=-1, keepdim=True)
        angle = step_size * speed
        # sin(angle) / speed, with the limit `step_size` at speed 0.
        toward = step_size * torch.sinc(angle / torch.pi)
        moved = position * angle.cos() + momentum * toward
        turned = momentum * angle.cos() - position * speed * angle.sin()
        moved = moved / moved.norm(dim=-1, keepdim=True)
        return moved, self.tangent(moved, turned)


EUCLIDEAN, UNIT_SPHERE = Euclidean(), UnitSphere()
