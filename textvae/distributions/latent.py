"""The base class of latent distributions: what they have in addition to torch's `Distribution`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

Shape = torch.Size | Sequence[int]
"""A sample shape or a batch shape."""

Index = Tensor | np.ndarray | slice | int
"""An index of the first axis of a tensor."""

_PAIRS_AT_ONCE = 2**12
"""(sample, distribution) pairs scored together in `pairwise_log_prob`, so that they fit into the processor's cache."""


class LatentDistribution(Distribution):
    """A distribution over latent vectors: batch shape [U] (or []), event shape [D].

    In addition to torch's methods it can sample and score the sample in one pass (the inverse of a flow is expensive),
    and make a copy of itself with detached parameters, for path-derivative gradients (Roeder et al. 2017, arXiv
    1703.09194).

    Attributes:
        levels: the number of equal parts of a code, each conditioned on those before it; 1 without a hierarchy.
        extended: whether its log-densities are those of the code together with auxiliary variables. Importance weights
            made from them are unbiased, but the density of the code alone is not known.
    """

    levels: int = 1
    extended: ClassVar[bool] = False

    @property
    def center(self) -> Tensor:
        """The code that represents the distribution when none is sampled: the mean, else the mode.

        Overridden where the mean is not a possible code: on a sphere it lies inside the sphere.
        """
        try:
            return self.mean
        except NotImplementedError:
            return self.mode

    @property
    def unit_variance(self) -> float:
        """The variance of a coordinate under the plain prior of this support: 1, but 1 / D on the unit sphere.

        Thresholds on variances, such as that of active units, are relative to it.
        """
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
        """The distribution from which `rsample_and_log_prob` draws, before `carried` maps the draws to codes.

        By default it is the distribution itself. It lets a caller draw each row under its own seed, and then map the
        draws of all rows to codes in one call.
        """
        return self

    def carried(self, drawn: Tensor, log_density: Tensor) -> tuple[Tensor, Tensor]:
        """Map draws of the source to codes, as `rsample_and_log_prob` does.

        Args:
            drawn: draws of the source, [*sample_shape, *batch, E].
            log_density: their log-density under the source, nats, [*sample_shape, *batch].

        Returns:
            z of shape [*sample_shape, *batch, D], log q(z) of shape [*sample_shape, *batch] in nats.
        """
        return drawn, log_density

    @property
    def proposal(self) -> LatentDistribution:
        """A distribution near this one with a known density of every code: itself where possible, else a Gaussian.

        Samplers start from it, and bounds use it where this distribution has no density.
        """
        return self

    def weighted_samples(self, num_samples: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Samples for an objective, with their weights.

        By default S = num_samples and all weights are equal. A stratified mixture gives S = num_samples * K (samples
        outermost), with weights that carry a gradient.

        Returns:
            z [S, *batch, D]; log q(z) [S, *batch] in nats, or None for an implicit distribution, which has no density;
            and the logarithm of each sample's weight [S, *batch], whose exponentials sum to one over S.
        """
        z, log_q = self.rsample_and_log_prob((num_samples,))
        return z, log_q, torch.full_like(log_q, -math.log(num_samples)).detach()

    def detached(self) -> LatentDistribution:
        """The same distribution with detached parameters."""
        raise NotImplementedError

    def rows(self, index: Index) -> LatentDistribution:
        """The distributions at `index` of the first batch axis."""
        raise NotImplementedError

    def pairwise_log_prob(self, z_MD: Tensor) -> Tensor:
        """log q_u(z_m) of every sample under every distribution of the batch, shape [M, U], nats."""
        rows = max(1, _PAIRS_AT_ONCE // max(1, self.batch_shape.numel()))
        return torch.cat([self.log_prob(z.unsqueeze(1)) for z in z_MD.split(rows)])

    def entropy(self) -> Tensor:
        """The entropy in closed form, nats, [*batch].

        Raises:
            NotImplementedError: it has no closed form.
        """
        raise NotImplementedError(
            f"the entropy of {type(self).__name__} has no closed form; where log_prob is known, estimate it by the "
            "mean of -log_prob(z) over samples z."
        )

    def kl_per_dim(self, prior: Distribution) -> Tensor | None:
        """KL(self || prior) of each dimension, nats, [*batch, D]; None unless both factorise over dimensions."""
        return None

    def given(self, z: Tensor) -> LatentDistribution | None:
        """The conditional distribution of each coordinate given the coordinates of z before it.

        Returns:
            a `DiagonalGaussian` that broadcasts with z [..., D], whose log-density at z is `log_prob(z)`; None if the
            conditionals are not Gaussian.
        """
        return None

    def kl_per_dim_given(self, prior: Distribution, z: Tensor) -> Tensor | None:
        """KL(self || prior) of each dimension given the dimensions before it in z, nats, [..., D].

        By the chain rule, its expectation over z ~ self, summed over dimensions, is KL(self || prior). As an estimate
        of the KL it is unbiased, in value and in gradient, and less noisy than log q(z) - log p(z).

        Returns:
            None if a conditional is not Gaussian.
        """
        ours, theirs = self.given(z), prior.given(z) if isinstance(prior, LatentDistribution) else None
        return None if ours is None or theirs is None else ours.kl_per_dim(theirs)


def unit_variance(distribution: Distribution) -> float:
    """`LatentDistribution.unit_variance`; 1 for distributions of torch."""
    return distribution.unit_variance if isinstance(distribution, LatentDistribution) else 1.0
