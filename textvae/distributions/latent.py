"""What every latent distribution of the package adds to torch's `Distribution`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

Shape = torch.Size | Sequence[int]
"""Of samples, or of a batch."""

RowIndex = Tensor | np.ndarray | slice | int
"""What indexes the first axis of a tensor."""

_PAIRS_AT_ONCE = 2**12
"""Samples times distributions scored together in `pairwise_log_prob`: few enough for a cache."""


class LatentDistribution(Distribution):
    """A distribution over latent vectors: batch shape [U] (or []), event shape [D].

    Beside torch's contract it draws and scores in one pass, which a flow needs (its inverse is
    expensive), gives its mode, and hands out a copy of itself with stopped parameters, which the
    path-derivative gradients need (Roeder et al. 2017, arXiv 1703.09194).

    Attributes:
        levels: equal parts that a code comes in, each conditioned on those before it; 1 for a code of one piece.
        extended: whether its log-densities carry auxiliary variables: with the prior's they make importance weights
            without bias, and yet they are no densities of the code alone, which are not known.
    """

    levels: int = 1
    extended: ClassVar[bool] = False

    @property
    def center(self) -> Tensor:
        """The code to decode where none is drawn: the mean, or the mode where that has no closed form.

        A distribution whose mean is no possible code, as inside a sphere, says otherwise.
        """
        try:
            return self.mean
        except NotImplementedError:
            return self.mode

    @property
    def unit_variance(self) -> float:
        """What counts as a variance of 1 in a coordinate of a code; 1 / D on the unit sphere."""
        return 1.0

    def rsample_and_log_prob(self, sample_shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """Reparameterised samples and their log-densities.

        Returns:
            z of shape [*sample_shape, *batch, D], log q(z) of shape [*sample_shape, *batch] in nats.
        """
        z = self.rsample(torch.Size(sample_shape))
        return z, self.log_prob(z)

    @property
    def source(self) -> LatentDistribution:
        """What random numbers are drawn from, to be `carried` to a sample; the distribution itself, mostly.

        Draws of single rows, each under a seed of its own, are carried all at once.
        """
        return self

    def carried(self, drawn: Tensor, log_density: Tensor) -> tuple[Tensor, Tensor]:
        """What `rsample_and_log_prob` makes of draws of the source.

        Args:
            drawn: of the source, [*sample_shape, *batch, E].
            log_density: theirs under it, nats, [*sample_shape, *batch].
        """
        return drawn, log_density

    @property
    def proposal(self) -> LatentDistribution:
        """Where a sampler may begin that must know the density of any code: here, if that is known, or nearby."""
        return self

    def weighted_samples(self, num_samples: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Samples for an objective, and how much each one counts.

        Returns:
            z [S, *batch, D], log q(z) [S, *batch] and the logarithm of each sample's weight [S, *batch], whose
            exponentials sum to one over S. Here S = num_samples and all weights are equal; a stratified mixture gives S
            = num_samples * K, samples outermost, with weights that carry a gradient. An implicit distribution has
            samples and no density: None.
        """
        z, log_q = self.rsample_and_log_prob((num_samples,))
        return z, log_q, torch.full_like(log_q, -math.log(num_samples)).detach()

    def detached(self) -> LatentDistribution:
        """The same distribution with its parameters cut from the graph."""
        raise NotImplementedError

    def rows(self, index: RowIndex) -> LatentDistribution:
        """The distributions of some rows of the batch; `index` is anything that indexes a tensor's first axis."""
        raise NotImplementedError

    def pairwise_log_prob(self, z_MD: Tensor) -> Tensor:
        """log q_u(z_m) of every sample under every distribution of the batch, shape [M, U], nats."""
        rows = max(1, _PAIRS_AT_ONCE // max(1, self.batch_shape.numel()))
        return torch.cat([self.log_prob(z.unsqueeze(1)) for z in z_MD.split(rows)])

    def entropy(self) -> Tensor:
        """In closed form, nats, [*batch], where a subclass has one."""
        raise NotImplementedError(
            f"the entropy of {type(self).__name__} has no closed form; where log_prob is known, estimate it by the "
            "mean of -log_prob(z) over samples z."
        )

    def kl_per_dim(self, prior: Distribution) -> Tensor | None:
        """KL(self || prior) of each dimension, shape [*batch, D]; None where it does not factorise."""
        return None

    def given(self, z: Tensor) -> LatentDistribution | None:
        """Of each coordinate of z its distribution given the coordinates before it, where these are Gaussians: a
        `DiagonalGaussian` that broadcasts with z [..., D], whose log-density at z is that of self. None where not."""
        return None

    def kl_per_dim_given(self, prior: Distribution, z: Tensor) -> Tensor | None:
        """KL(self || prior) of each dimension given the dimensions before it in z, [..., D]; None where a conditional
        is no Gaussian.

        By the chain rule its expectation over z from self, summed over dimensions, is KL(self || prior): an estimate
        without the noise that log q - log p has of the dimension itself. Without bias, in value and in gradient.
        """
        ours, theirs = self.given(z), prior.given(z) if isinstance(prior, LatentDistribution) else None
        return None if ours is None or theirs is None else ours.kl_per_dim(theirs)


def unit_variance(distribution: Distribution) -> float:
    """What counts as a variance of 1 in a coordinate of a code; 1 for a distribution of torch's own."""
    return distribution.unit_variance if isinstance(distribution, LatentDistribution) else 1.0
