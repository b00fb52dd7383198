"""The Gaussian with a diagonal covariance."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.kl import register_kl

from textvae.distributions.latent import Index, LatentDistribution, Shape

_LOG_2PI = math.log(2.0 * math.pi)


class DiagonalGaussian(LatentDistribution):
    """N(loc, diag(scale^2)) over vectors.

    Args:
        loc: means, shape [..., D].
        scale: standard deviations (not variances, not their logarithms), positive, shape [..., D].

    >>> import torch
    >>> q = DiagonalGaussian(torch.zeros(3, 2), torch.ones(3, 2))
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> q.log_prob(torch.zeros(3, 2)).tolist() == [-1.8378770351409912] * 3
    True
    """

    arg_constraints = {  # noqa: RUF012 (torch's convention)
        "loc": constraints.real_vector,
        "scale": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, scale: Tensor, validate_args: bool | None = None) -> None:
        self.loc, self.scale = torch.broadcast_tensors(loc, scale)
        super().__init__(self.loc.shape[:-1], self.loc.shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: None = None) -> DiagonalGaussian:
        shape = (*batch_shape, *self.event_shape)
        return DiagonalGaussian(self.loc.expand(shape), self.scale.expand(shape), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale.square()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + self.scale * noise

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        standardized = (value - self.loc) / self.scale
        return -0.5 * (standardized.square() + _LOG_2PI).sum(-1) - self.scale.log().sum(-1)

    def entropy(self) -> Tensor:
        return self.scale.log().sum(-1) + 0.5 * self.event_shape[0] * (1.0 + _LOG_2PI)

    def detached(self) -> DiagonalGaussian:
        return DiagonalGaussian(self.loc.detach(), self.scale.detach(), validate_args=False)

    def rows(self, index: Index) -> DiagonalGaussian:
        return DiagonalGaussian(self.loc[index], self.scale[index], validate_args=False)

    def pairwise_log_prob(self, z_MD: Tensor) -> Tensor:
        # (z - loc)^2 is expanded, so that one matrix product replaces M * U * D subtractions. Double precision makes up
        # for the cancellation that the expansion brings.
        precision_UD = self.scale.double().square().reciprocal()
        loc_UD, z = self.loc.double(), z_MD.double()
        constant_U = (loc_UD.square() * precision_UD + _LOG_2PI).sum(-1) + 2.0 * self.scale.double().log().sum(-1)
        powers_ME = torch.cat([z.square(), z], -1)
        factors_UE = torch.cat([precision_UD, -2.0 * loc_UD * precision_UD], -1)
        return torch.addmm(-0.5 * constant_U, powers_ME, factors_UE.T, alpha=-0.5)

    def given(self, z: Tensor) -> DiagonalGaussian:
        return self

    def kl_per_dim(self, prior: Distribution) -> Tensor | None:
        """In closed form for a diagonal Gaussian prior (Kingma & Welling 2014, appendix B), [*batch, D]; else None."""
        if not isinstance(prior, DiagonalGaussian):
            return None
        ratio = (self.scale / prior.scale).square()
        shift = ((self.loc - prior.loc) / prior.scale).square()
        return 0.5 * (ratio + shift - 1.0 - ratio.log())


@register_kl(DiagonalGaussian, DiagonalGaussian)
def _kl_gaussian_gaussian(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    per_dim = q.kl_per_dim(p)
    assert per_dim is not None
    return per_dim.sum(-1)
