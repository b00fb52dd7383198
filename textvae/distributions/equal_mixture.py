"""The equally weighted mixture of a batch of distributions, such as an aggregated posterior."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.utils.checkpoint import checkpoint

from textvae.distributions.latent import Index, LatentDistribution, Shape

_PAIRS = 2**22
"""The largest number of (value, component) densities held at once. It limits memory and does not change results."""


class EqualMixture(LatentDistribution):
    """p(z) = (1 / K) sum_k p_k(z), for any distributions p_k with densities.

    The weights are constant, so drawing a component and reparameterising its sample gives unbiased gradients. Densities
    are computed for a block of values at a time, and recomputed in the backward pass, so that memory is that of one
    block.

    Args:
        components: the p_k, batch shape [K].
        batch_shape: the batch shape of the mixture, for several references to the same one.

    >>> from textvae.distributions.diagonal_gaussian import DiagonalGaussian
    >>> p = EqualMixture(DiagonalGaussian(torch.randn(4, 2), torch.ones(4, 2)))
    >>> p.batch_shape, p.rsample((5,)).shape
    (torch.Size([]), torch.Size([5, 2]))
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, components: LatentDistribution, batch_shape: tuple[int, ...] = ()) -> None:
        self.components = components
        super().__init__(torch.Size(batch_shape), components.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        value_MD = value.reshape(-1, value.shape[-1])
        rows = max(1, _PAIRS // self.components.batch_shape.numel())
        if len(value_MD) <= rows:
            found = self._log_prob(value_MD)
        elif torch.is_grad_enabled():
            blocks = [checkpoint(self._log_prob, block_MD, use_reentrant=False) for block_MD in value_MD.split(rows)]
            found = torch.cat(blocks)
        else:
            found = torch.cat([self._log_prob(block_MD) for block_MD in value_MD.split(rows)])
        found = found.view(value.shape[:-1])
        return found.expand(torch.broadcast_shapes(found.shape, self.batch_shape))

    def _log_prob(self, value_MD: Tensor) -> Tensor:
        pairwise_MK = self.components.pairwise_log_prob(value_MD)
        return (pairwise_MK.logsumexp(1) - math.log(pairwise_MK.shape[1])).to(value_MD.dtype)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        count = shape[:-1].numel()
        z_KD = self.components.rsample(())
        chosen_M = torch.randint(len(z_KD), (count,), device=z_KD.device)
        return self.components.rows(chosen_M).rsample(()).view(shape)

    @property
    def mean(self) -> Tensor:
        return self.components.mean.mean(0).expand(*self.batch_shape, -1)

    def expand(self, batch_shape: Shape, _instance: None = None) -> EqualMixture:
        return EqualMixture(self.components, tuple(batch_shape))

    def detached(self) -> EqualMixture:
        return EqualMixture(self.components.detached(), self.batch_shape)

    def rows(self, index: Index) -> EqualMixture:
        device = index.device if isinstance(index, Tensor) else "cpu"
        return EqualMixture(self.components, torch.empty(self.batch_shape, device=device)[index].shape)
