"""The von Mises-Fisher distribution, the analogue of a Gaussian on the sphere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.distributions.kl import register_kl

from textvae.distributions.rotationally_symmetric import RotationallySymmetric
from textvae.distributions.sphere import log_area

_ROUNDS = 64


class VonMisesFisher(RotationallySymmetric):
    """q(z) = C_D(k) exp(k loc . z) on the unit sphere of R^D.

    C_D(k) = k^{D/2-1} / ((2 pi)^{D/2} I_{D/2-1}(k)) (Davidson et al. 2018, arXiv 1804.00891, eq. 1-2), computed by
    quadrature. Samples have unbiased gradients with respect to both arguments: see `RotationallySymmetric`.

    Args:
        loc: unit vectors, shape [..., D], D at least 2.
        concentration: k, non-negative, shape [...]; 0 is the uniform distribution.

    >>> q = VonMisesFisher(torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([1.0]))
    >>> z = q.rsample((5,))
    >>> z.shape, q.log_prob(z).shape
    (torch.Size([5, 1, 3]), torch.Size([5, 1]))
    >>> round(q.kl_to_uniform().item(), 6)
    0.151596
    """

    def _statistic(self, versine: Tensor) -> Tensor:
        return -versine

    def _statistic_at(self, angle: Tensor) -> Tensor:
        # cos a - 1 = -2 sin^2(a / 2)
        return -2.0 * torch.sin(0.5 * angle).square()

    def _peak(self, concentration: Tensor) -> tuple[Tensor, Tensor]:
        # The derivative of (D - 2) log sin a + k cos a is 0 where k sin^2 a = (D - 2) cos a.
        k, powers = concentration.clamp_min(1e-6), self.event_shape[0] - 2
        cosine = 2.0 * k / (powers + (powers**2 + 4.0 * k.square()).sqrt())
        return torch.atan2((powers * cosine / k).sqrt(), cosine), k / cosine + k * cosine

    def _log_normalizer(self) -> Tensor:
        return self._log_quadrature()[1].logsumexp(-1) + log_area(self.event_shape[0] - 1)

    def _expected_statistic(self) -> Tensor:
        angle, probability = self._quadrature()
        return (probability * self._statistic_at(angle)).sum(-1)

    def _draw_angle(self, concentration: Tensor) -> Tensor:
        """Rejection from a Beta envelope (Ulrich 1984; Wood 1994, "Simulation of the von Mises Fisher distribution").

        The acceptance probability is at least 0.65 for every D and k (the minimum is at D = 2 and large k). After 64
        rounds one angle in 1e29 has had no accepted proposal, and keeps its last one. A NaN concentration gives NaN.
        """
        m = self.event_shape[0] - 1
        k = concentration.reshape(-1)
        # Equal to the textbook's b = (sqrt(4 k^2 + m^2) - 2 k) / m, without cancellation.
        b = m / (2.0 * k + (4.0 * k.square() + m**2).sqrt())
        x0 = (1.0 - b) / (1.0 + b)
        angle, pending = torch.empty_like(k), torch.arange(len(k), device=k.device)
        beta = Beta(k.new_tensor(0.5 * m), k.new_tensor(0.5 * m), validate_args=False)
        for _ in range(_ROUNDS):
            e = beta.sample(pending.shape)
            # w = (1 - (1 + b) e) / (1 - (1 - b) e) is the cosine of this angle.
            proposed = 2.0 * torch.atan2((b[pending] * e).sqrt(), (1.0 - e).sqrt())
            w = torch.cos(proposed)
            log_accept = k[pending] * (w - x0[pending]) + m * (
                torch.log1p(-x0[pending] * w) - torch.log1p(-x0[pending].square())
            )
            angle[pending] = proposed
            pending = pending[~(torch.rand_like(w).log() <= log_accept)]
            if not len(pending):
                break
        return angle.view(concentration.shape)


@register_kl(VonMisesFisher, VonMisesFisher)
def _kl_von_mises_fisher_von_mises_fisher(q: VonMisesFisher, p: VonMisesFisher) -> Tensor:
    """log C(k_q) - log C(k_p) + A(k_q) (k_q - k_p loc_q . loc_p), as E_q[z] = A(k_q) loc_q.

    It is computed from E_q[T] = A - 1 and v = 1 - loc_q . loc_p, so that no terms of the size of k cancel.
    """
    k_q, k_p = q._precise(q.concentration), q._precise(p.concentration)
    v = 0.5 * (q._precise(q.loc) - q._precise(p.loc)).square().sum(-1)
    expected = q._expected_statistic()
    difference = p._log_normalizer() - q._log_normalizer()
    return (difference + k_q * expected + k_p * (v - (1.0 - v) * expected)).to(q.loc.dtype)
