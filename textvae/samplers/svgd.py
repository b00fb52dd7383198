"""Stein variational gradient descent: particles that follow a density and keep away from one another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from textvae.samplers.leapfrog import Density


def stein_direction(
    position: Tensor, gradient: Tensor, bandwidth: Tensor | float | None = None, own_gradient: bool = True
) -> Tensor:
    """The direction that lowers KL(particles || density) fastest in a kernel's function space.

    phi(z_j) = (1/M) sum_i [k(z_i, z_j) grad log p(z_i) + grad_{z_i} k(z_i, z_j)] with k(a, b) = exp(-|a - b|^2 / h)
    (Liu & Wang 2016, arXiv 1608.04471, eq. 8). One particle climbs to the mode.

    For particles that are independent draws of some q, rather than ones that move on together, that mean is off: each
    particle is its own neighbor, at the kernel's full height, and feels its own gradient without any repulsion. The
    mean over i != j is the direction of q itself in expectation, and zero where q is the density (Stein's identity).

    Args:
        position: particles, [M, ..., D]; along further axes are sets of their own.
        gradient: of log p at the particles, of the same shape.
        bandwidth: h, broadcastable to [...]; the squared median of the set's distances over log(M + 1) when None.
        own_gradient: whether the mean is over all i; over i != j otherwise, except for a single particle.

    >>> stein_direction(torch.zeros(1, 2), torch.tensor([[3.0, -1.0]])).tolist()
    [[3.0, -1.0]]
    """
    particles = len(position)
    z = position.movedim(0, -2)
    # Differences, not an expanded square: near particles must keep their distance in float32.
    square = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist").square()
    if bandwidth is None:
        bandwidth = median_bandwidth(square)
    h = torch.as_tensor(bandwidth, dtype=z.dtype, device=z.device).unsqueeze(-1).unsqueeze(-1)
    kernel = torch.exp(-square / h)
    repulsion = (2.0 / h) * (z * kernel.sum(-1, keepdim=True) - kernel @ z)
    total = (kernel @ gradient.movedim(0, -2) + repulsion).movedim(-2, 0)
    return total / particles if own_gradient or particles == 1 else (total - gradient) / (particles - 1)


def median_bandwidth(square: Tensor) -> Tensor:
    """h from squared distances [..., M, M] of each set, [...]: at the median, a particle's neighbors sum to about 1."""
    particles = square.shape[-1]
    if particles == 1:
        return torch.ones_like(square[..., 0, 0])
    above = torch.triu_indices(particles, particles, 1, device=square.device)
    median = square[..., above[0], above[1]].quantile(0.5, dim=-1)
    return median.clamp_min(torch.finfo(square.dtype).tiny ** 0.5) / math.log(particles + 1.0)


@torch.no_grad()
def svgd(density: Density, start: Tensor, *, steps: int, step_size: float = 0.1, memory: float = 0.9) -> Tensor:
    """Particles after some steps, each dimension's step divided by the running size of its directions.

    Args:
        density: up to a constant; its gradient alone is used.
        start: [M, ..., D].
        steps: how many.
        step_size: of the divided steps; it falls to zero over the last half of them.
        memory: of the running size (AdaGrad with a moving mean, as Liu & Wang 2016).
    """
    position, size = start, torch.zeros_like(start)
    for step in range(steps):
        direction = stein_direction(position, density(position).gradient)
        size = direction.square() if step == 0 else memory * size + (1.0 - memory) * direction.square()
        decay = min(1.0, 2.0 * (steps - step) / steps)
        position = position + decay * step_size * direction / (size.sqrt() + 1e-6)
    return position
