"""The unit sphere S^{D-1} of R^D: its area, the constraint, uniform samples and polar coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

_TOLERANCE = 1e-3
"""How much a norm may differ from 1. It is far above float32 rounding; vectors that were not normalized differ more."""


class _UnitSphere(constraints.Constraint):
    """Vectors of Euclidean norm 1 along the last axis."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value.norm(dim=-1) - 1.0).abs() < _TOLERANCE


unit_sphere = _UnitSphere()


def log_area(dim: int) -> float:
    """log of the surface of S^{dim-1}: 2 pi^{dim/2} / Gamma(dim/2).

    Args:
        dim: D, the dimension of the surrounding space.

    >>> round(math.exp(log_area(3)) / math.pi, 12)
    4.0
    """
    return math.log(2.0) + 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim)


def uniform_directions(shape: Sequence[int], like: Tensor) -> Tensor:
    """Unit vectors drawn uniformly from the sphere, [*shape]: normal vectors divided by their norm.

    A normal vector that is exactly 0 has no direction and is drawn again. In float32 a single normal number is 0 about
    once in 1e7 draws, so this matters in one dimension.

    Args:
        shape: the shape of the result; its last entry is the number of coordinates.
        like: a tensor with the dtype and device of the result.

    >>> uniform_directions((2, 1), torch.zeros(())).abs().tolist()
    [[1.0], [1.0]]
    """
    normals = torch.randn(shape, dtype=like.dtype, device=like.device)
    while not (some := (normals != 0).any(-1, keepdim=True)).all():
        normals = normals.where(some, torch.randn(shape, dtype=like.dtype, device=like.device))
    return normals / normals.norm(dim=-1, keepdim=True)


def from_pole(angle: Tensor, equator: Tensor, loc: Tensor) -> Tensor:
    """The point at `angle` from `loc`, in the tangential direction `equator`.

    A Householder reflection maps the pole (+-1, 0, ..., 0) to `loc`. Its normal is loc minus the pole. Of the two poles
    the farther one is used, so that the normal never vanishes, and the map and its gradient are smooth at every `loc`.

    Args:
        angle: radians in [0, pi], [...].
        equator: unit vectors, [..., D - 1], the direction in polar coordinates around the pole.
        loc: unit vectors, [..., D], broadcast with the others.

    Returns:
        unit vectors, [..., D], with cos(angle) = loc . z.

    >>> from_pole(torch.tensor(0.0), torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.6, 0.8])).tolist()
    [0.0, 0.6000000238418579, 0.800000011920929]
    """
    pole = torch.where(loc[..., :1] > 0, -1.0, 1.0).to(loc.dtype)
    cosine, sine = torch.cos(angle).unsqueeze(-1), torch.sin(angle).unsqueeze(-1)
    upright = torch.cat([pole * cosine, sine * equator], -1)
    normal = torch.cat([loc[..., :1] - pole, loc[..., 1:]], -1)
    across = (upright * normal).sum(-1, keepdim=True) / normal.square().sum(-1, keepdim=True)
    return upright - 2.0 * across * normal
