"""The unit sphere S^{D-1} of R^D: its area, the constraint to lie on it, and turning its pole anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

_TOLERANCE = 1e-3
"""How far from 1 a norm may be: far above float32 rounding, far below any vector that was never normalized."""


class _UnitSphere(constraints.Constraint):
    """Vectors of Euclidean norm 1 along the last axis."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value.norm(dim=-1) - 1.0).abs() < _TOLERANCE


unit_sphere = _UnitSphere()


def log_area(dim: int) -> float:
    """log of the surface of S^{dim-1}: 2 pi^{dim/2} / Gamma(dim/2).

    Args:
        dim: D, of the space around the sphere.

    >>> round(math.exp(log_area(3)) / math.pi, 12)
    4.0
    """
    return math.log(2.0) + 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim)


def uniform_directions(shape: Sequence[int], like: Tensor) -> Tensor:
    """Unit vectors drawn uniformly from the sphere, [*shape]: normals divided by their norm.

    Normals that are all exactly 0, as one of a float32 is about once in 1e7 draws, point nowhere and are drawn again.

    Args:
        shape: of what is drawn; its last number is that of coordinates.
        like: for the dtype and the device.

    >>> uniform_directions((2, 1), torch.zeros(())).abs().tolist()
    [[1.0], [1.0]]
    """
    normals = torch.randn(shape, dtype=like.dtype, device=like.device)
    while not (some := (normals != 0).any(-1, keepdim=True)).all():
        normals = normals.where(some, torch.randn(shape, dtype=like.dtype, device=like.device))
    return normals / normals.norm(dim=-1, keepdim=True)


def from_pole(angle: Tensor, equator: Tensor, loc: Tensor) -> Tensor:
    """The point at `angle` from `loc`, in the direction that `equator` names on the sphere around it.

    The pole (+-1, 0, ..., 0) is carried to `loc` by a Householder reflection. Of the two poles the farther one is
    taken: the mirror's normal is their difference, which then never vanishes, so that the map and its gradient are
    smooth at every `loc`, the poles included.

    Args:
        angle: radians in [0, pi], [...].
        equator: unit vectors, [..., D - 1].
        loc: unit vectors, [..., D], of a shape that broadcasts with the others.

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
