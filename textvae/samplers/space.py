"""Where codes move: through all of space, or along great circles of the unit sphere."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Space(Protocol):
    """What a leapfrog step must know of the space it moves in."""

    def tangent(self, position: Tensor, vector: Tensor) -> Tensor:
        """The part of a vector [..., D] that points along the space at a position [..., D]."""
        ...

    def drift(self, position: Tensor, momentum: Tensor, step_size: Tensor | float) -> tuple[Tensor, Tensor]:
        """Where free motion leads in a time `step_size`, broadcastable to [..., D], and the momentum there."""
        ...


class Euclidean:
    """All of R^D: straight lines."""

    def tangent(self, position: Tensor, vector: Tensor) -> Tensor:
        return vector

    def drift(self, position: Tensor, momentum: Tensor, step_size: Tensor | float) -> tuple[Tensor, Tensor]:
        return position + step_size * momentum, momentum


class UnitSphere:
    """The unit sphere: great circles, on which the motion is known exactly (Byrne & Girolami 2013, arXiv 1301.6064).

    A step size must be the same in every dimension of a row. Positions are put back on the sphere after every step, for
    rounding would let them leave it.

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
        # sin(angle) / speed, whose limit at no speed is the time.
        toward = step_size * torch.sinc(angle / torch.pi)
        moved = position * angle.cos() + momentum * toward
        turned = momentum * angle.cos() - position * speed * angle.sin()
        moved = moved / moved.norm(dim=-1, keepdim=True)
        return moved, self.tangent(moved, turned)


EUCLIDEAN, UNIT_SPHERE = Euclidean(), UnitSphere()
