"""A masked autoregressive flow over a standard normal: densities take one pass, samples take D steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from textvae.distributions.autoregressive_network import AutoregressiveNetwork
from textvae.distributions.latent import Index, LatentDistribution, Shape

_LOG_2PI = math.log(2.0 * math.pi)
_LARGEST = 3.0
"""The bound of the log-scale of a flow step, in both directions."""


class MaskedAutoregressiveFlow(LatentDistribution):
    """Papamakarios et al. 2017 (arXiv 1705.07057), section 3.

    (m_t, a_t) = network_t(z_{t-1}); z_t = (z_{t-1} - m_t) exp(-s_t), s_t = 3 tanh(a_t / 3), with the order of the
    coordinates reversed between steps; z_T ~ N(0, I). log p(z_0) = log N(z_T; 0, I) - sum_t sum_i s_{t,i} takes one
    pass for each step. Sampling inverts every step coordinate by coordinate.

    Args:
        networks: one for each step, z -> [..., D, 2].
        dims: D.
        like: a tensor with the dtype and device of samples.
        batch_shape: the batch shape, for several references to the same distribution.

    >>> from textvae.layers import MaskedAutoregressive
    >>> network = MaskedAutoregressive(2, 2, hidden_dim=4).masked()
    >>> MaskedAutoregressiveFlow([network], 2, torch.zeros(())).sample((5,)).shape
    torch.Size([5, 2])
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        networks: Sequence[AutoregressiveNetwork],
        dims: int,
        like: Tensor,
        batch_shape: tuple[int, ...] = (),
    ) -> None:
        self.networks, self.like = tuple(networks), like
        super().__init__(torch.Size(batch_shape), torch.Size([dims]), validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        z, log_det = value, torch.zeros_like(value[..., 0])
        for number, network in enumerate(self.networks):
            z = z.flip(-1) if number else z
            shift, log_scale = _affine(network(z))
            z = (z - shift) * torch.exp(-log_scale)
            log_det = log_det - log_scale.sum(-1)
        found = log_det - 0.5 * (z.square() + _LOG_2PI).sum(-1)
        return found.expand(torch.broadcast_shapes(found.shape, self.batch_shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        z = torch.randn(shape, dtype=self.like.dtype, device=self.like.device)
        for number, network in reversed(list(enumerate(self.networks))):

            def undo(d: int, outputs: Tensor, after: Tensor = z) -> Tensor:
                shift, log_scale = _affine(outputs)
                return after[..., d] * torch.exp(log_scale) + shift

            z = network.solve(undo)
            z = z.flip(-1) if number else z
        return z

    def expand(self, batch_shape: Shape, _instance: None = None) -> MaskedAutoregressiveFlow:
        return MaskedAutoregressiveFlow(self.networks, self.event_shape[0], self.like, tuple(batch_shape))

    def detached(self) -> MaskedAutoregressiveFlow:
        networks = [network.detached() for network in self.networks]
        return MaskedAutoregressiveFlow(networks, self.event_shape[0], self.like.detach(), self.batch_shape)

    def rows(self, index: Index) -> MaskedAutoregressiveFlow:
        shape = self.like.new_empty(self.batch_shape)[index].shape
        return MaskedAutoregressiveFlow(self.networks, self.event_shape[0], self.like, shape)


def _affine(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Shift and bounded log-scale of each coordinate."""
    shift, raw = outputs.unbind(-1)
    return shift, _LARGEST * torch.tanh(raw / _LARGEST)
