"""The law of a function of normal noise: easy to draw from, and without a density that anyone knows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import constraints

from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.latent import LatentDistribution, RowIndex, Shape

_PROPOSAL_FLOOR = 0.02
"""Least standard deviation of a proposal: a chain that begins in a point has nowhere to go."""


class Pushforward(LatentDistribution):
    """z = f(xi; what f knows of each row), xi ~ N(0, I): an implicit distribution.

    There are samples and, by fixed draws, moments, so that the mean of a row is a number and not an estimate that
    differs from call to call. There is no density: whoever needs one asks for its `proposal`, a Gaussian, and says so.

    Args:
        transport: f: noise [..., *batch, X], or with ones in place of the batch, and the conditions to z
            [..., *batch, D].
        conditions: what f knows of each row, each [*batch, its own last axis].
        noise_MX: the draws by which moments are told.
        dim: D.

    >>> noise = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> q = Pushforward(lambda noise, loc: loc + noise, (torch.zeros(3, 2),), noise, 2)
    >>> q.batch_shape, q.rsample((5,)).shape, q.mean.abs().max().item(), q.variance[0].tolist()
    (torch.Size([3]), torch.Size([5, 3, 2]), 0.0, [1.0, 0.0])
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        transport: Callable[..., Tensor],
        conditions: tuple[Tensor, ...],
        noise_MX: Tensor,
        dim: int,
        stopped: bool = False,
    ) -> None:
        self.transport, self.conditions, self.noise_MX, self.stopped = transport, conditions, noise_MX, stopped
        super().__init__(conditions[0].shape[:-1], torch.Size([dim]), validate_args=False)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = (*torch.Size(sample_shape), *self.batch_shape, self.noise_MX.shape[-1])
        return self._moved(torch.randn(shape, dtype=self.noise_MX.dtype, device=self.noise_MX.device))

    def _moved(self, noise: Tensor) -> Tensor:
        # The parameters of f are reached through it alone: noise needs no gradient.
        z = self.transport(noise, *self.conditions)
        return z.detach() if self.stopped else z

    def log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(
            "an implicit distribution has samples and no density; use its proposal, a Gaussian with its moments, and "
            "call what comes of it by that name."
        )

    def weighted_samples(self, num_samples: int) -> tuple[Tensor, None, Tensor]:
        """As in `LatentDistribution`, with None where the log-density would be."""
        z = self.rsample((num_samples,))
        even = torch.full(z.shape[:-1], 1.0 / num_samples, dtype=z.dtype, device=z.device)
        return z, None, even.log()

    @property
    def proposal(self) -> DiagonalGaussian:
        """The diagonal Gaussian with the same means and variances, but no scale below 0.02."""
        mean, variance = self._moments()
        return DiagonalGaussian(mean, variance.sqrt().clamp_min(_PROPOSAL_FLOOR), validate_args=False)

    def _moments(self) -> tuple[Tensor, Tensor]:
        lead = (len(self.noise_MX), *(1 for _ in self.batch_shape), -1)
        # All rows share these draws, so that f need not repeat what depends on noise alone.
        z = self._moved(self.noise_MX.view(lead))
        return z.mean(0), z.var(0, correction=0)

    @property
    def mean(self) -> Tensor:
        return self._moments()[0]

    @property
    def variance(self) -> Tensor:
        return self._moments()[1]

    def _with(self, conditions: tuple[Tensor, ...], stopped: bool | None = None) -> Pushforward:
        stopped = self.stopped if stopped is None else stopped
        return Pushforward(self.transport, conditions, self.noise_MX, self.event_shape[0], stopped)

    def expand(self, batch_shape: Shape, _instance: None = None) -> Pushforward:
        return self._with(tuple(one.expand(*batch_shape, one.shape[-1]) for one in self.conditions))

    def detached(self) -> Pushforward:
        return self._with(tuple(one.detach() for one in self.conditions), stopped=True)

    def rows(self, index: RowIndex) -> Pushforward:
        return self._with(tuple(one[index] for one in self.conditions))
