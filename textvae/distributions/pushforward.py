"""The distribution of a function of normal noise: it can be sampled, but its density is not known."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import constraints

from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.latent import Index, LatentDistribution, Shape

_PROPOSAL_FLOOR = 0.02
"""The smallest standard deviation of a proposal, so that chains which start from it start at different points."""


class Pushforward(LatentDistribution):
    """z = f(xi; conditions of the row), xi ~ N(0, I): an implicit distribution.

    It has samples, and moments estimated from fixed draws, so that the mean of a row is the same in every call. It has
    no density. Where one is needed, its `proposal` is used, a Gaussian, and the results are named accordingly.

    Args:
        transport: f, from noise [..., *batch, X] (batch axes may be 1) and the conditions to z [..., *batch, D].
        conditions: tensors that f gets besides the noise, each [*batch, any size].
        noise_MX: the fixed draws from which moments are estimated.
        dim: D.
        stopped: whether samples are detached; see `detached`.

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
        # Detaching z also stops the gradient of f's own parameters.
        z = self.transport(noise, *self.conditions)
        return z.detach() if self.stopped else z

    def log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(
            "an implicit distribution has samples and no density; use its proposal, a Gaussian with its moments, and "
            "name the results after the proposal."
        )

    def weighted_samples(self, num_samples: int) -> tuple[Tensor, None, Tensor]:
        """As in `LatentDistribution`, with None in place of log q(z)."""
        z = self.rsample((num_samples,))
        even = torch.full(z.shape[:-1], 1.0 / num_samples, dtype=z.dtype, device=z.device)
        return z, None, even.log()

    @property
    def proposal(self) -> DiagonalGaussian:
        """The diagonal Gaussian with the same means and variances, its scales at least 0.02."""
        mean, variance = self._moments()
        return DiagonalGaussian(mean, variance.sqrt().clamp_min(_PROPOSAL_FLOOR), validate_args=False)

    def _moments(self) -> tuple[Tensor, Tensor]:
        lead = (len(self.noise_MX), *(1 for _ in self.batch_shape), -1)
        # All rows share these draws, so that f computes what depends on the noise only once.
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

    def rows(self, index: Index) -> Pushforward:
        return self._with(tuple(one[index] for one in self.conditions))
