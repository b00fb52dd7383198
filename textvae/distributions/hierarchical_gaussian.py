"""A chain of diagonal Gaussians: each level of a code is conditioned on the levels above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import constraints

from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.fixed_noise import opposite_pairs
from textvae.distributions.latent import Index, LatentDistribution, Shape


class LevelNetwork(NamedTuple):
    """The weights by which the A coordinates of the levels above act on the mean and log-scale of a level of size d.

    Attributes:
        inward: [H, A], from codes to hidden units.
        outward: [2 d, H], from hidden units to mean and log-scale.
        skip: [d, A], from codes to the mean.
    """

    inward: Tensor
    outward: Tensor
    skip: Tensor


class HierarchicalGaussian(LatentDistribution):
    """p(z) = prod_l N(z_l | m_l(z_<l), diag(s_l(z_<l)^2)), the D coordinates of z in L levels of d = D / L, in order.

    loc_l, log_scale_l and hidden_l are parameters of level l that do not depend on z, and

        (a, b) = outward_l tanh(hidden_l + inward_l z_<l),  m_l = loc_l + skip_l z_<l + a,  log s_l = log_scale_l + b.

    The tanh keeps b, and so the scales, bounded for every z. The first level has neither network nor hidden units.
    With outward = 0 it is a chain of linear Gaussians. Sampling and the density are exact and take one step for each
    level. Given the levels above, every coordinate is an independent Gaussian (`given`), so that the KL of each level
    has a closed form.

    `mean` has no closed form after the first level: there it is the average of m_l over 16 antithetic pairs of draws of
    the levels above, with fixed noise. `center` is the chain of means: m_l given that all levels above are at theirs.

    Args:
        loc: [..., D].
        log_scale: [..., D], logarithms of standard deviations.
        hidden: [..., L - 1, H], for the levels after the first.
        networks: one for each level after the first.
        min_log_scale: the lower bound of log-scales.

    >>> network = LevelNetwork(torch.randn(5, 2), torch.randn(4, 5), torch.randn(2, 2))
    >>> q = HierarchicalGaussian(torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(3, 1, 5), [network])
    >>> z, log_q = q.rsample_and_log_prob((7,))
    >>> z.shape, q.level_log_probs(z).shape, torch.allclose(q.level_log_probs(z).sum(-1), log_q, atol=1e-4)
    (torch.Size([7, 3, 4]), torch.Size([7, 3, 2]), True)
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        log_scale: Tensor,
        hidden: Tensor,
        networks: Sequence[LevelNetwork],
        min_log_scale: float = -torch.inf,
    ) -> None:
        self.loc, self.log_scale = torch.broadcast_tensors(loc, log_scale)
        self.hidden, self.networks, self.min_log_scale = hidden, tuple(networks), min_log_scale
        self.levels = 1 + len(self.networks)
        self.width = self.loc.shape[-1] // self.levels
        super().__init__(self.loc.shape[:-1], self.loc.shape[-1:], validate_args=False)

    def level(self, number: int, above: Tensor) -> DiagonalGaussian:
        """p(z_l | z_<l), event shape [d].

        Args:
            number: l, counted from 0.
            above: z_<l, [..., l d].
        """
        own = slice(number * self.width, (number + 1) * self.width)
        loc, log_scale = self.loc[..., own], self.log_scale[..., own]
        if number:
            network = self.networks[number - 1]
            # In half precision, sampling and scoring would use different rounding, and so different distributions.
            with torch.autocast(above.device.type, enabled=False):
                units = torch.tanh(self.hidden[..., number - 1, :] + above @ network.inward.T)
                by_mean, by_log_scale = (units @ network.outward.T).chunk(2, -1)
                loc = loc + above @ network.skip.T + by_mean
                log_scale = log_scale + by_log_scale
        return DiagonalGaussian(loc, log_scale.clamp_min(self.min_log_scale).exp(), validate_args=False)

    def _descend(self, noise: Tensor) -> tuple[Tensor, DiagonalGaussian]:
        """The code made from standard normal noise, [..., D], and the Gaussian of each coordinate given those above."""
        z, found = noise[..., :0], []
        for number, part in enumerate(noise.split(self.width, -1)):
            found.append(self.level(number, z))
            z = torch.cat([z, found[-1].loc + found[-1].scale * part], -1)
        return z, _side_by_side(found)

    def given(self, z: Tensor) -> DiagonalGaussian:
        return _side_by_side([self.level(l, z[..., : l * self.width]) for l in range(self.levels)])

    def _noise(self, sample_shape: Shape) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        return torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self._descend(self._noise(sample_shape))[0]

    def rsample_and_log_prob(self, sample_shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        z, given = self._descend(self._noise(sample_shape))
        return z, given.log_prob(z)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.given(value).log_prob(value)

    def level_log_probs(self, z: Tensor) -> Tensor:
        """log p(z_l | z_<l) of every level, [..., L] nats."""
        given, parts = self.given(z), (self.levels, self.width)
        levels = DiagonalGaussian(given.loc.unflatten(-1, parts), given.scale.unflatten(-1, parts), validate_args=False)
        return levels.log_prob(z.unflatten(-1, parts))

    @property
    def center(self) -> Tensor:
        return self._descend(torch.zeros_like(self.loc))[0]

    @property
    def mean(self) -> Tensor:
        noise = opposite_pairs(self.loc).view(-1, *(1 for _ in self.batch_shape), *self.event_shape)
        return self._descend(noise.expand(-1, *self.batch_shape, -1))[1].loc.mean(0)

    def expand(self, batch_shape: Shape, _instance: None = None) -> HierarchicalGaussian:
        hidden = self.hidden.expand(*batch_shape, *self.hidden.shape[-2:])
        shape = (*batch_shape, *self.event_shape)
        return self._with(self.loc.expand(shape), self.log_scale.expand(shape), hidden, self.networks)

    def detached(self) -> HierarchicalGaussian:
        networks = [LevelNetwork(*(weight.detach() for weight in network)) for network in self.networks]
        return self._with(self.loc.detach(), self.log_scale.detach(), self.hidden.detach(), networks)

    def rows(self, index: Index) -> HierarchicalGaussian:
        return self._with(self.loc[index], self.log_scale[index], self.hidden[index], self.networks)

    def _with(
        self, loc: Tensor, log_scale: Tensor, hidden: Tensor, networks: Sequence[LevelNetwork]
    ) -> HierarchicalGaussian:
        return HierarchicalGaussian(loc, log_scale, hidden, networks, self.min_log_scale)


def _side_by_side(levels: list[DiagonalGaussian]) -> DiagonalGaussian:
    # The first level does not depend on z, so it may lack the sample axes of the others.
    shape = torch.broadcast_shapes(*(level.loc.shape for level in levels))
    loc, scale = ([getattr(level, name).expand(shape) for level in levels] for name in ("loc", "scale"))
    return DiagonalGaussian(torch.cat(loc, -1), torch.cat(scale, -1), validate_args=False)
