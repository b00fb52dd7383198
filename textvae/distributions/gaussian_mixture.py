"""A mixture of diagonal Gaussians, with three gradient estimators for its weights."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Categorical, constraints
from torch.nn.functional import pad

from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.latent import Index, LatentDistribution, Shape

Estimator = Literal["pathwise", "stratified", "score"]

_LOG_2PI = math.log(2.0 * math.pi)


class GaussianMixture(LatentDistribution):
    """p(z) = sum_k pi_k N(z; loc_k, diag(scale_k^2)).

    `rsample` draws a component and then z. The gradient of z with respect to all parameters, logits included, is that
    of the recursive inverse distribution function (Graves 2016, arXiv 1607.05690): with u_d = F(z_d | z_<d) held
    fixed, dz = -(dF/dz)^-1 dF/dtheta, where dF/dz is triangular with the conditional densities on its diagonal. It
    gives unbiased first derivatives of E f(z). Second derivatives through z are not those of the mixture.

    The estimator decides what `weighted_samples` gives to objectives:

    - ``pathwise``: S samples of equal weight, with the gradient above. One decoder call for each sample. The gradient
      of the weights is unbiased in any dimension, and its variance grows without bound with the distance of the
      components: good below three standard deviations, useless from six on (measured in docs/choosing.md).
    - ``stratified``: S samples of every component, weighted by pi_k / S. The sum over components is exact, at the cost
      of K times as many decoder calls. Its variance does not grow with the distance.
    - ``score``: S samples without a pathwise gradient, whose weights 1 / S carry the score of q instead (REINFORCE;
      Williams 1992). Unbiased for losses that are linear in the weights, such as the ELBO, and noisy.

    Args:
        logits: log pi up to a constant, [..., K].
        loc: means, [..., K, D].
        scale: standard deviations, [..., K, D].
        estimator: ``pathwise``, ``stratified`` or ``score``.

    >>> import torch
    >>> q = GaussianMixture(torch.zeros(3, 4), torch.randn(3, 4, 2), torch.ones(3, 4, 2))
    >>> q.batch_shape, q.event_shape, q.rsample((5,)).shape
    (torch.Size([3]), torch.Size([2]), torch.Size([5, 3, 2]))
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor, estimator: Estimator = "pathwise") -> None:
        batch = torch.broadcast_shapes(logits.shape[:-1], loc.shape[:-2], scale.shape[:-2])
        vectors = (*batch, *torch.broadcast_shapes(loc.shape[-2:], scale.shape[-2:]))
        self.log_weight = logits.expand(vectors[:-1]).log_softmax(-1)
        self.loc, self.scale = loc.expand(vectors), scale.expand(vectors)
        self.estimator: Estimator = estimator
        super().__init__(self.loc.shape[:-2], self.loc.shape[-1:], validate_args=False)

    def _like(self, log_weight: Tensor, loc: Tensor, scale: Tensor) -> GaussianMixture:
        return GaussianMixture(log_weight, loc, scale, self.estimator)

    def expand(self, batch_shape: Shape, _instance: None = None) -> GaussianMixture:
        weights, vectors = (*batch_shape, *self.loc.shape[-2:-1]), (*batch_shape, *self.loc.shape[-2:])
        return self._like(self.log_weight.expand(weights), self.loc.expand(vectors), self.scale.expand(vectors))

    def detached(self) -> GaussianMixture:
        return self._like(self.log_weight.detach(), self.loc.detach(), self.scale.detach())

    def rows(self, index: Index) -> GaussianMixture:
        return self._like(self.log_weight[index], self.loc[index], self.scale[index])

    @property
    def mean(self) -> Tensor:
        return (self.log_weight.exp().unsqueeze(-1) * self.loc).sum(-2)

    @property
    def variance(self) -> Tensor:
        # Centred on the mean: E[z^2] - E[z]^2 would lose scales that are small compared to the means.
        apart = (self.loc - self.mean.unsqueeze(-2)).square()
        return (self.log_weight.exp().unsqueeze(-1) * (apart + self.scale.square())).sum(-2)

    def _log_prob_per_dim(self, value: Tensor) -> Tensor:
        """log N of each coordinate under each component, [..., K, D]."""
        standardized = (value.unsqueeze(-2) - self.loc) / self.scale
        return -0.5 * (standardized.square() + _LOG_2PI) - self.scale.log()

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.log_weight + self._log_prob_per_dim(value).sum(-1)).logsumexp(-1)

    def pairwise_log_prob(self, z_MD: Tensor) -> Tensor:
        components = DiagonalGaussian(self.loc.flatten(0, -2), self.scale.flatten(0, -2), validate_args=False)
        log_prob_MUK = components.pairwise_log_prob(z_MD).unflatten(1, self.log_weight.shape)
        return (self.log_weight + log_prob_MUK).logsumexp(-1)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        with torch.no_grad():
            component = Categorical(logits=self.log_weight, validate_args=False).sample(torch.Size(sample_shape))
            shape = (*component.shape, *self.loc.shape[-2:])
            index = component[..., None, None].expand(*component.shape, 1, shape[-1])
            loc = self.loc.expand(shape).gather(-2, index).squeeze(-2)
            scale = self.scale.expand(shape).gather(-2, index).squeeze(-2)
            z = loc + scale * torch.randn_like(loc)
        needed = any(parameter.requires_grad for parameter in (self.log_weight, self.loc, self.scale))
        return self._with_path(z) if needed and torch.is_grad_enabled() else z

    def _with_path(self, z: Tensor) -> Tensor:
        """z, with the gradient of the recursive inverse distribution function attached."""
        with torch.autocast(z.device.type, enabled=False):
            slope_KD = -(z.unsqueeze(-2) - self.loc) / self.scale.square()
            log_density_KD = self._log_prob_per_dim(z)
            # log p(component | z_<d), [..., K, D]. The cumulative sum excludes d from the start: subtracting the term
            # of d afterwards would leave the rounding error of very negative log-densities.
            before_KD = pad(log_density_KD[..., :-1], (1, 0)).cumsum(-1)
            log_posterior_KD = (self.log_weight.unsqueeze(-1) + before_KD).log_softmax(-2)
            posterior_KD = log_posterior_KD.exp()
            standardized_KD = (z.unsqueeze(-2) - self.loc) / self.scale
            # Use the smaller tail of each coordinate, lower or upper, which float32 represents more precisely.
            with torch.no_grad():
                below_D = (posterior_KD * _normal_cdf(standardized_KD)).sum(-2, keepdim=True)
                side_D = torch.where(below_D > 0.5, -1.0, 1.0).to(z.dtype)
            tail_KD = _normal_cdf(side_D * standardized_KD)
            tail_D = (posterior_KD * tail_KD).sum(-2)
            with torch.no_grad():
                weighted_KD = posterior_KD * (tail_KD - tail_D.unsqueeze(-2))
                log_density_D = (log_posterior_KD + log_density_KD).logsumexp(-2)
                # dF_d / dz_e for e < d, with every row divided by the density on its diagonal.
                inverse_D = side_D.squeeze(-2) * torch.exp(-log_density_D)
                jacobian_DD = (inverse_D.unsqueeze(-1) * (weighted_KD.mT @ slope_KD)).tril(-1)
            change_D = inverse_D * (tail_D - tail_D.detach())
            moved = torch.linalg.solve_triangular(jacobian_DD, change_D.unsqueeze(-1), upper=False, unitriangular=True)
            return z - moved.squeeze(-1)

    def weighted_samples(self, num_samples: int) -> tuple[Tensor, Tensor | None, Tensor]:
        if self.estimator == "stratified":
            noise = torch.randn((num_samples, *self.loc.shape), dtype=self.loc.dtype, device=self.loc.device)
            z = (self.loc + self.scale * noise).movedim(-2, 1).flatten(0, 1)
            log_weight = self.log_weight.movedim(-1, 0).repeat(num_samples, *[1] * len(self.batch_shape))
            return z, self.log_prob(z), log_weight - math.log(num_samples)
        if self.estimator == "score":
            with torch.no_grad():
                z = self.rsample((num_samples,))
            log_q = self.log_prob(z)
            return z, log_q, log_q - log_q.detach() - math.log(num_samples)
        return super().weighted_samples(num_samples)


def _normal_cdf(x: Tensor) -> Tensor:
    """By erfc, which is precise for very negative x; `torch.special.ndtr` in float32 is 0 from -5.5 downwards."""
    return 0.5 * torch.erfc(-x / math.sqrt(2.0))
