"""The base class of distributions on the sphere that are symmetric around one direction."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.distributions import constraints, register_kl

from textvae.distributions.hyperspherical_uniform import HypersphericalUniform
from textvae.distributions.latent import Index, LatentDistribution, Shape
from textvae.distributions.sphere import from_pole, log_area, uniform_directions, unit_sphere

_NODES = 96
_WIDTHS = 14.0
"""Quadrature covers so many widths of the angle's peak on both sides; a share of e^-45 of the density is outside."""


class RotationallySymmetric(LatentDistribution):
    """q(z) = exp(k T(loc . z)) / normalizer on the unit sphere, for a statistic T that the subclass defines.

    Precision: T is 0 at loc and negative elsewhere, so that k T and the log-normalizer are about as large as log q
    itself. With T = loc . z both would be about k, and their difference would lose about half a nat in float32 at
    k = 1e6. For the same reason T is computed from the versine 1 - loc . z = |z - loc|^2 / 2, not from the cosine.

    Quadrature: in polar coordinates around loc, z is an angle a with density proportional to sin(a)^{D-2} exp(k T(cos
    a)), and an independent direction, uniform on S^{D-2} (the tangent-normal decomposition: Mardia & Jupp 2000, section
    9.1.2). Everything that depends on k is therefore an integral over the angle, which Gauss-Legendre quadrature
    computes in any dimension, without Bessel functions.

    Gradients of samples are by implicit reparameterization (Figurnov et al. 2018, arXiv 1805.08498, eq. 5): with F the
    distribution function of the angle and p its density,

        da/dk = -(dF/dk) / p(a) = -integral from a to pi of (E[T] - T(t)) p(t) / p(a) dt.

    This is unbiased however the angle was drawn. (Differentiating through the accepted proposal of a rejection sampler
    is biased, because the acceptance probability depends on k too.) It holds for first derivatives in reverse mode:
    second derivatives in k through a sample, and forward mode, do not give those of the expectation.

    Args:
        loc: unit vectors, shape [..., D], D at least 2.
        concentration: k, non-negative, shape [...].
    """

    arg_constraints = {"loc": unit_sphere, "concentration": constraints.nonnegative}  # noqa: RUF012
    support = unit_sphere
    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1 or loc.shape[-1] < 2:
            raise ValueError(f"loc has shape {tuple(loc.shape)}; a direction has at least 2 coordinates.")
        batch = torch.broadcast_shapes(loc.shape[:-1], concentration.shape)
        self.loc = loc.expand(*batch, loc.shape[-1])
        self.concentration = concentration.expand(batch)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)

    # What a subclass defines.

    def _statistic(self, versine: Tensor) -> Tensor:
        """T as a function of the versine 1 - loc . z; T = 0 at 0."""
        raise NotImplementedError

    def _statistic_at(self, angle: Tensor) -> Tensor:
        """T as a function of the angle, precise near 0 and pi."""
        raise NotImplementedError

    def _peak(self, concentration: Tensor) -> tuple[Tensor, Tensor]:
        """The mode of the angle's density and minus the second derivative of its logarithm there."""
        raise NotImplementedError

    def _draw_angle(self, concentration: Tensor) -> Tensor:
        """One angle for each entry of `concentration`, without gradient."""
        raise NotImplementedError

    def _log_normalizer(self) -> Tensor:
        """log of the integral of exp(k T) over the sphere, differentiable in k, of `_precise` dtype."""
        raise NotImplementedError

    def _expected_statistic(self) -> Tensor:
        """E[T], the derivative of `_log_normalizer`; differentiable itself."""
        raise NotImplementedError

    # The methods of torch's `Distribution` and of `LatentDistribution`.

    def expand(self, batch_shape: Shape, _instance: None = None) -> RotationallySymmetric:
        loc = self.loc.expand(*batch_shape, *self.event_shape)
        return type(self)(loc, self.concentration.expand(batch_shape), validate_args=False)

    def detached(self) -> RotationallySymmetric:
        return type(self)(self.loc.detach(), self.concentration.detach(), validate_args=False)

    def rows(self, index: Index) -> RotationallySymmetric:
        return type(self)(self.loc[index], self.concentration[index], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """E[z] = E[cos a] loc: inside the ball, not on the sphere."""
        return self.mean_cosine.unsqueeze(-1) * self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def center(self) -> Tensor:
        """The mean direction loc, which lies on the sphere, unlike the mean."""
        return self.loc

    @property
    def unit_variance(self) -> float:
        return 1.0 / self.event_shape[0]

    @property
    def mean_cosine(self) -> Tensor:
        """E[loc . z], shape [...]: 0 for the uniform distribution, 1 for a point mass at loc."""
        angle, probability = self._quadrature()
        return (probability * torch.cos(angle)).sum(-1).to(self.loc.dtype)

    @property
    def variance(self) -> Tensor:
        """The variance of each coordinate of z, [..., D]."""
        angle, probability = self._quadrature()
        mean = (probability * torch.cos(angle)).sum(-1, keepdim=True)
        along = (probability * (torch.cos(angle) - mean).square()).sum(-1, keepdim=True)
        across = (probability * torch.sin(angle).square()).sum(-1, keepdim=True) / (self.event_shape[0] - 1)
        return across.to(self.loc.dtype) + (along - across).to(self.loc.dtype) * self.loc.square()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        concentration = self._precise(self.concentration).expand(shape[:-1])
        with torch.no_grad():
            angle = self._draw_angle(concentration)
            equator = uniform_directions((*shape[:-1], shape[-1] - 1), self.loc)
        if concentration.requires_grad and torch.is_grad_enabled():
            # Adds zero to the value, and the gradient da/dk in the backward pass.
            angle = angle + self._angle_slope(angle) * (concentration - concentration.detach())
        return from_pole(angle.to(self.loc.dtype), equator, self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._log_density(0.5 * (value - self.loc).square().sum(-1))

    def pairwise_log_prob(self, z_MD: Tensor) -> Tensor:
        z_MD, loc_UD = self._precise(z_MD), self._precise(self.loc)
        # Use the norms instead of 1, from which they differ by rounding that k would amplify.
        squares_MU = z_MD.square().sum(-1, keepdim=True) + loc_UD.square().sum(-1)
        return self._log_density((0.5 * squares_MU - z_MD @ loc_UD.T).clamp_min(0.0))

    def _log_density(self, versine: Tensor) -> Tensor:
        log_normalizer = self._log_normalizer().to(versine.dtype)
        return self.concentration.to(versine.dtype) * self._statistic(versine) - log_normalizer

    def entropy(self) -> Tensor:
        return (self._log_normalizer() - self._precise(self.concentration) * self._expected_statistic()).to(
            self.loc.dtype
        )

    def kl_to_uniform(self) -> Tensor:
        """KL(self || uniform on the sphere), nats, shape [...]. It does not depend on loc."""
        gained = self._precise(self.concentration) * self._expected_statistic() - self._log_normalizer()
        return (gained + log_area(self.event_shape[0])).to(self.loc.dtype)

    # The integrals over the angle.

    def _precise(self, x: Tensor) -> Tensor:
        """x in double precision if the device has it: densities in many dimensions are differences of large logs."""
        return x if x.device.type == "mps" else x.double()

    def _log_angle_density(self, angle: Tensor, concentration: Tensor) -> Tensor:
        tiny = torch.finfo(angle.dtype).tiny
        powers = (self.event_shape[0] - 2) * torch.sin(angle).clamp_min(tiny).log()
        return powers + concentration * self._statistic_at(angle)

    def _range(self, concentration: Tensor) -> tuple[Tensor, Tensor]:
        """The interval of angles outside of which the density is negligible."""
        mode, curvature = self._peak(concentration)
        reach = _WIDTHS * curvature.clamp_min(1e-3).rsqrt()
        return (mode - reach).clamp_min(0.0), (mode + reach).clamp_max(torch.pi)

    def _log_quadrature(self) -> tuple[Tensor, Tensor]:
        """The N angles of the quadrature and the logs of their terms of the integral, [..., N]; differentiable in k."""
        concentration = self._precise(self.concentration)
        nodes_N, weights_N = _gauss_legendre(concentration)
        with torch.no_grad():
            low, high = (end.unsqueeze(-1) for end in self._range(concentration))
            half = 0.5 * (high - low)
            angle = low + half * (1.0 + nodes_N)
        return angle, (half * weights_N).log() + self._log_angle_density(angle, concentration.unsqueeze(-1))

    def _quadrature(self) -> tuple[Tensor, Tensor]:
        angle, log_share = self._log_quadrature()
        return angle, log_share.softmax(-1)

    @torch.no_grad()
    def _angle_slope(self, angle: Tensor) -> Tensor:
        """da/dk at sampled angles, in their shape.

        The integrand of dF/dk integrates to 0 over the whole range, so the integral from the angle may run to either
        end. It runs to the end at which the integrand does not change its sign, so that nothing cancels.
        """
        concentration, expected = self._precise(self.concentration), self._expected_statistic()
        nodes_N, weights_N = _gauss_legendre(concentration)
        low, high = self._range(concentration)
        near = self._statistic_at(angle) > expected
        half = 0.5 * (torch.where(near, low.minimum(angle), high.maximum(angle)) - angle).unsqueeze(-1)
        between = angle.unsqueeze(-1) + half * (1.0 + nodes_N)
        concentration = concentration.unsqueeze(-1)
        log_ratio = self._log_angle_density(between, concentration) - self._log_angle_density(
            angle.unsqueeze(-1), concentration
        )
        lack = expected.unsqueeze(-1) - self._statistic_at(between)
        return -(half * weights_N * lack * log_ratio.exp()).sum(-1)


@lru_cache(maxsize=1)
def _rule() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_NODES)


def _gauss_legendre(like: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights on [-1, 1], as new tensors: one cached in inference mode could not be used in training."""
    nodes, weights = _rule()
    return torch.from_numpy(nodes).to(like), torch.from_numpy(weights).to(like)


@register_kl(RotationallySymmetric, HypersphericalUniform)
def _kl_to_uniform(q: RotationallySymmetric, p: HypersphericalUniform) -> Tensor:
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"got spheres in {q.event_shape[0]} and {p.event_shape[0]} dimensions, expected the same of "
            "both; give the prior the posterior's."
        )
    return q.kl_to_uniform().expand(torch.broadcast_shapes(q.batch_shape, p.batch_shape))
