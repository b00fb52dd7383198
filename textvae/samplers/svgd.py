"""Stein variational gradient descent: particles that climb a density and repel one another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from textvae.samplers.leapfrog import Density


def stein_direction(
    position: Tensor, gradient: Tensor, bandwidth: Tensor | float | None = None, own_gradient: bool = True
) -> Tensor:
    """The direction of steepest descent of KL(particles || density) in the function space of a kernel.

    phi(z_j) = (1/M) sum_i [k(z_i, z_j) grad log p(z_i) + grad_{z_i} k(z_i, z_j)] with k(a, b) = exp(-|a - b|^2 / h)
    (Liu & Wang 2016, arXiv 1608.04471, eq. 8). A single particle climbs to the mode.

    If the particles are independent draws of some q, this mean is biased: the term i = j has the largest kernel value,
    and a gradient without repulsion. The mean over i != j is an unbiased estimate of the direction for q, which is zero
    if q is the density (Stein's identity).

    Args:
        position: particles, [M, ..., D]; further axes hold independent sets of particles.
        gradient: gradients of log p at the particles, of the same shape.
        bandwidth: h, broadcastable to [...]; if None, the squared median distance of the set over log(M + 1).
        own_gradient: whether the mean is over all i; otherwise over i != j, except for a single particle.

    >>> stein_direction(torch.zeros(1, 2), torch.tensor([[3.0, -1.0]])).tolist()
    [[3.0, -1.0]]
    """
    particles = len(position)
    z = position.movedim(0, -2)
    # Distances by differences, as the expanded square is imprecise for close particles in float32.
    square = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist").square()
    if bandwidth is None:
        bandwidth = median_bandwidth(square)
    h = torch.as_tensor(bandwidth, dtype=z.dtype, device=z.device).unsqueeze(-1).unsqueeze(-1)
    kernel = torch.exp(-square / h)
    repulsion = (2.0 / h) * (z * kernel.sum(-1, keepdim=True) - kernel @ z)
    total = (kernel @ gradient.movedim(0, -2) + repulsion).movedim(-2, 0)
    return total / particles if own_gradient or particles == 1 else (total - gradient) / (particles - 1)


def median_bandwidth(square: Tensor) -> Tensor:
    """h for each set, [...], from squared distances [..., M, M]: the median squared distance over log(M + 1).

    At the median distance, the kernel values of a particle's neighbors then sum to about 1.
    """
    particles = square.shape[-1]
    if particles == 1:
        return torch.ones_like(square[..., 0, 0])
    above = torch.triu_indices(particles, particles, 1, device=square.device)
    median = square[..., above[0], above[1]].quantile(0.5, dim=-1)
    return median.clamp_min(torch.finfo(square.dtype).tiny ** 0.5) / math.log(particles + 1.0)


@torch.no_grad()
def svgd(density: Density, start: Tensor, *, steps: int, step_size: float = 0.1, memory: float = 0.9) -> Tensor:
    """Move particles by Stein variational gradient descent, with steps scaled for each dimension as in RMSprop.

    Args:
        density: the density, up to a constant; only its gradient is used.
        start: initial particles, [M, ..., D].
        steps: number of steps.
        step_size: the step size; it decreases to zero over the last half of the steps.
        memory: decay of the running mean of squared directions (AdaGrad with a moving mean, as Liu & Wang 2016).

    Returns:
        the particles, [M, ..., D].
    """
    position, size = start, torch.zeros_like(start)
    for step in range(steps):
        direction = stein_direction(position, density(position).gradient)
        size = direction.square() if step == 0 else memory * size + (1.0 - memory) * direction.square()
        decay = min(1.0, 2.0 * (steps - step) / steps)
        position = position + decay * step_size * direction / (size.sqrt() + 1e-6)
    return position
