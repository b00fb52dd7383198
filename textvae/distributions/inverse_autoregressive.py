"""A diagonal Gaussian transformed by inverse autoregressive flow steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from textvae.distributions.autoregressive_network import AutoregressiveNetwork
from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.fixed_noise import opposite_pairs
from textvae.distributions.latent import Index, LatentDistribution, Shape

_GATE_CENTER, _GATE_REACH = 1.0, 3.0
"""Gates are bounded to [sigmoid(-2), sigmoid(4)] = [12 %, 98 %]."""

_FAR = 1e6
"""Inverses are clamped to this magnitude, so that the density far from all samples is tiny and not NaN."""


class InverseAutoregressive(LatentDistribution):
    """Kingma et al. 2016 (arXiv 1606.04934), in the gated form of its eqs. 13 and 14.

    z_0 ~ base; (m_t, a_t) = network_t(z_{t-1}, context); g_t = sigmoid(a_t);
    z_t = g_t z_{t-1} + (1 - g_t) m_t, with the order of the coordinates reversed between steps. The Jacobian of a step
    is triangular with g_t on its diagonal, so log q(z_T) = log base(z_0) - sum_t sum_i log g_{t,i}. Sampling, with the
    density of the sample, takes one pass for each step.

    The density of any other point needs z_0, found coordinate by coordinate. A numerical error in one coordinate is
    multiplied in the next by up to (1 - g) / g times the slope of m. To limit that, a tanh bounds a to [-2, 4], which
    the paper does not do. Some loss of precision remains in `log_prob` in float32, and none in `rsample_and_log_prob`.

    `mean` has no closed form: it is estimated by transforming 16 antithetic pairs of draws of the base, with fixed
    noise. `center` is the transformed mean of the base.

    Args:
        base: q(z_0), batch shape [...], event shape [D].
        networks: one for each step.
        context: the features that the networks are conditioned on, [..., C]; None for none.

    >>> from textvae.layers import MaskedAutoregressive
    >>> network = MaskedAutoregressive(2, 2, hidden_dim=4).masked()
    >>> q = InverseAutoregressive(DiagonalGaussian(torch.zeros(3, 2), torch.ones(3, 2)), [network] * 2)
    >>> z, log_q = q.rsample_and_log_prob((5,))
    >>> z.shape, torch.allclose(log_q, q.log_prob(z), atol=1e-4)
    (torch.Size([5, 3, 2]), True)
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, base: DiagonalGaussian, networks: Sequence[AutoregressiveNetwork], context: Tensor | None = None
    ) -> None:
        self.base, self.networks, self.context = base, tuple(networks), context
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def _forward(self, z_0: Tensor) -> tuple[Tensor, Tensor]:
        """z_T and sum_t sum_i log g_{t,i} of z_0."""
        z, log_det = z_0, torch.zeros_like(z_0[..., 0])
        for number, network in enumerate(self.networks):
            z = z.flip(-1) if number else z
            shift, gate = _gated(network(z, self.context))
            # sigmoid(-a) is 1 - sigmoid(a) without cancellation.
            z = torch.sigmoid(gate) * z + torch.sigmoid(-gate) * shift
            log_det = log_det + logsigmoid(gate).sum(-1)
        return z, log_det

    def _inverse(self, z_T: Tensor) -> tuple[Tensor, Tensor]:
        """z_0 and sum_t sum_i log g_{t,i} of z_T, coordinate by coordinate."""
        z, log_det = z_T, torch.zeros_like(z_T[..., 0])
        for number, network in reversed(list(enumerate(self.networks))):
            gates: list[Tensor] = []

            def undo(d: int, outputs: Tensor, after: Tensor = z, gates: list[Tensor] = gates) -> Tensor:
                shift, gate = _gated(outputs)
                gates.append(gate)
                # (y - sigmoid(-a) m) / sigmoid(a), with 1 / sigmoid(a) = 1 + exp(-a). The inverse of a point far from
                # all samples may diverge; clamped, its density still rounds to zero.
                before = after[..., d] + torch.exp(-gate) * (after[..., d] - shift)
                return before.clamp(-_FAR, _FAR)

            z = network.solve(undo, self.context)
            log_det = log_det + torch.stack([logsigmoid(gate) for gate in torch.broadcast_tensors(*gates)]).sum(0)
            z = z.flip(-1) if number else z
        return z, log_det

    def rsample_and_log_prob(self, sample_shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        z_0, log_base = self.base.rsample_and_log_prob(sample_shape)
        z, log_det = self._forward(z_0)
        return z, log_base - log_det

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self._forward(self.base.rsample(torch.Size(sample_shape)))[0]

    def log_prob(self, value: Tensor) -> Tensor:
        z_0, log_det = self._inverse(value)
        return self.base.log_prob(z_0) - log_det

    @property
    def mean(self) -> Tensor:
        noise = opposite_pairs(self.base.loc).view(-1, *(1 for _ in self.batch_shape), *self.event_shape)
        return self._forward(self.base.loc + self.base.scale * noise)[0].mean(0)

    @property
    def center(self) -> Tensor:
        return self._forward(self.base.loc)[0]

    def expand(self, batch_shape: Shape, _instance: None = None) -> InverseAutoregressive:
        context = self.context
        if context is not None:
            context = context.expand(*batch_shape, context.shape[-1])
        return InverseAutoregressive(self.base.expand(batch_shape), self.networks, context)

    def detached(self) -> InverseAutoregressive:
        networks = [network.detached() for network in self.networks]
        context = None if self.context is None else self.context.detach()
        return InverseAutoregressive(self.base.detached(), networks, context)

    def rows(self, index: Index) -> InverseAutoregressive:
        context = None if self.context is None else self.context[index]
        return InverseAutoregressive(self.base.rows(index), self.networks, context)


def _gated(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Shift and bounded gate (before its sigmoid) of each coordinate."""
    shift, raw = outputs.unbind(-1)
    return shift, _GATE_CENTER + _GATE_REACH * torch.tanh((raw - _GATE_CENTER) / _GATE_REACH)
