"""The power spherical distribution: similar to the von Mises-Fisher distribution, with everything in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Beta

from textvae.distributions.rotationally_symmetric import RotationallySymmetric


class PowerSpherical(RotationallySymmetric):
    """q(z) proportional to (1 + loc . z)^k on the unit sphere of R^D (De Cao & Aziz 2020, arXiv 2006.04437).

    (1 + loc . z) / 2 is Beta((D-1)/2 + k, (D-1)/2), so sampling needs no rejection, and normalizer and entropy have
    closed forms (section 3 of the paper). Samples are differentiated as `RotationallySymmetric` describes, because
    torch's derivative of a Beta sample is an approximation with errors up to 3e-3.

    Args:
        loc: unit vectors, shape [..., D], D at least 2.
        concentration: k, non-negative, shape [...]; 0 is the uniform distribution.

    >>> q = PowerSpherical(torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]), torch.tensor(3.0))
    >>> q.rsample((2,)).shape, round(q.kl_to_uniform().item(), 5)
    (torch.Size([2, 5]), 0.50944)
    """

    def _statistic(self, versine: Tensor) -> Tensor:
        # log((1 + cos a) / 2). A versine is at most 2, which rounding may exceed.
        return torch.log1p(-0.5 * versine.clamp_max(2.0 - torch.finfo(versine.dtype).eps))

    def _statistic_at(self, angle: Tensor) -> Tensor:
        # (1 + cos a) / 2 = cos^2(a / 2)
        return 2.0 * torch.cos(0.5 * angle).clamp_min(torch.finfo(angle.dtype).tiny).log()

    def _peak(self, concentration: Tensor) -> tuple[Tensor, Tensor]:
        # The derivative of (D - 2) log sin a + k log(1 + cos a) is 0 where (D - 2) cos a = k (1 - cos a).
        k, powers = concentration.clamp_min(1e-6), self.event_shape[0] - 2
        cosine = k / (k + powers)
        sine = (powers / (k + powers) * (1.0 + cosine)).sqrt()
        return torch.atan2(sine, cosine), (2.0 * k + powers) / (1.0 + cosine)

    def _beta(self) -> tuple[Tensor, float]:
        half = 0.5 * (self.event_shape[0] - 1)
        return self._precise(self.concentration) + half, half

    def _log_normalizer(self) -> Tensor:
        """(a + b - k) log 2 + b log pi + log Gamma(a) - log Gamma(a + b), with a and b of the Beta.

        It is the normalizer of ((1 + loc . z) / 2)^k; the paper's, of (1 + loc . z)^k, is larger by k log 2.
        """
        a, b = self._beta()
        return b * math.log(4.0 * math.pi) + torch.lgamma(a) - torch.lgamma(a + b)

    def _expected_statistic(self) -> Tensor:
        a, b = self._beta()
        return torch.digamma(a) - torch.digamma(a + b)

    @property
    def mean_cosine(self) -> Tensor:
        a, b = self._beta()
        return ((a - b) / (a + b)).to(self.loc.dtype)

    def _draw_angle(self, concentration: Tensor) -> Tensor:
        half = 0.5 * (self.event_shape[0] - 1)
        share = Beta(concentration + half, torch.full_like(concentration, half), validate_args=False).sample()
        angle = 2.0 * torch.atan2((1.0 - share).sqrt(), share.sqrt())
        return angle.where(concentration.isfinite(), torch.nan)  # torch's Beta returns numbers for a NaN parameter
