"""O12: a chain of linear Gaussians, z_1 -> z_2 -> x, where every conditional of the posterior is known.

z_1 ~ N(0, 1), z_2 | z_1 ~ N(A z_1, S^2), x | z ~ N(W z + b, 0.5 I) with the decoder of O1. Prior and posterior are
Gaussians with two levels of one coordinate each, so both are `HierarchicalGaussian`s without tanh units' help.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tests.oracles.linear_gaussian import VARIANCE, LinearGaussianModel
from textvae.distributions import HierarchicalGaussian, LevelNetwork
from textvae.models.text_vae import scored_group
from textvae.types import Batch, Context, LatentTerms

A, S = 0.8, 0.6
PRIOR_COV = ((1.0, A), (A, A * A + S * S))
F64 = torch.float64


def chain(loc: Tensor, log_scale: Tensor, slope: Tensor) -> HierarchicalGaussian:
    """z_1 ~ N(loc_1, s_1^2), z_2 | z_1 ~ N(loc_2 + slope z_1, s_2^2); batch shape that of loc."""
    network = LevelNetwork(torch.zeros(1, 1, dtype=F64), torch.zeros(2, 1, dtype=F64), slope.view(1, 1))
    return HierarchicalGaussian(loc, log_scale, loc.new_zeros(*loc.shape[:-1], 1, 1), [network])


class ChainPosterior(nn.Module):
    """A chain for each x: exact at the start, with parameters to move away from there.

    Args:
        model: whose posterior.
        off: added to both means, and to both log-scales: 0 is exact.
    """

    def __init__(self, model: LinearChain, off: float = 0.0) -> None:
        super().__init__()
        exact = model.exact_posterior()
        covariance = exact.covariance_matrix[0].detach()
        slope = covariance[1, 0] / covariance[0, 0]
        variance = torch.stack([covariance[0, 0], covariance[1, 1] - slope * covariance[0, 1]])
        mean_NX = exact.mean.detach()
        intercept_NX = torch.stack([mean_NX[:, 0], mean_NX[:, 1] - slope * mean_NX[:, 0]], -1)
        self.loc_ND = nn.Parameter(intercept_NX + off)
        self.log_scale = nn.Parameter(0.5 * variance.log() + off)
        self.slope = nn.Parameter(slope.clone())
        self.x_NX = model.x_NX

    def forward(self, x_BX: Tensor) -> HierarchicalGaussian:
        rows = (x_BX.unsqueeze(1) == self.x_NX).all(-1).float().argmax(-1)
        loc = self.loc_ND[rows]
        return chain(loc, self.log_scale.expand(loc.shape), self.slope)


class LinearChain(LinearGaussianModel):
    """The model; its posterior is exact but for `off`.

    Args:
        x_NX: observed vectors, [N, 4].
        off: see `ChainPosterior`.
        slope: of the prior; 0 makes the levels independent.
        scale: of z_2 given z_1.
        weight: of the decoder, instead of O1's, [4, 2].
    """

    def __init__(
        self,
        x_NX: Tensor | None = None,
        off: float = 0.0,
        slope: float = A,
        scale: float = S,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(x_NX)
        if weight is not None:
            self.decoder.weight.data.copy_(weight)
        self.prior_slope = torch.tensor(slope, dtype=F64)
        self.prior_log_scale = torch.tensor([0.0, math.log(scale)], dtype=F64)
        self.prior_covariance = torch.tensor([[1.0, slope], [slope, slope**2 + scale**2]], dtype=F64)
        self.posterior = ChainPosterior(self, off)

    def prior(self, context: Context | None = None) -> HierarchicalGaussian:  # type: ignore[override]
        return chain(torch.zeros(2, dtype=F64), self.prior_log_scale, self.prior_slope)

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        posterior = self.posterior_of(batch)
        group = scored_group("z", posterior, self.prior(), *posterior.rsample_and_log_prob((num_samples,)))
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, group.z_SUD)
        log_weight_SB = torch.full_like(log_px_z_SB, -math.log(num_samples)).detach()
        return LatentTerms(log_px_z_SB, log_weight_SB, batch.lengths_B - 1, (group,))

    def exact_log_p(self, x_BX: Tensor | None = None) -> Tensor:
        x_BX = self.x_NX if x_BX is None else x_BX
        weight, bias = self.decoder.weight, self.decoder.bias
        covariance = weight @ self.prior_covariance @ weight.T + VARIANCE * torch.eye(len(bias), dtype=F64)
        return torch.distributions.MultivariateNormal(bias, covariance).log_prob(x_BX)

    def exact_posterior(self, x_BX: Tensor | None = None) -> torch.distributions.MultivariateNormal:
        x_BX = self.x_NX if x_BX is None else x_BX
        weight, bias = self.decoder.weight, self.decoder.bias
        covariance = torch.linalg.inv(torch.linalg.inv(self.prior_covariance) + weight.T @ weight / VARIANCE)
        mean_BD = (x_BX - bias) @ weight @ covariance / VARIANCE
        return torch.distributions.MultivariateNormal(mean_BD, covariance.expand(len(mean_BD), 2, 2))

    def joint_prior(self) -> torch.distributions.MultivariateNormal:
        return torch.distributions.MultivariateNormal(torch.zeros(2, dtype=F64), self.prior_covariance)

    def sample(self, rows: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(rows, 2, generator=generator, dtype=F64) @ torch.linalg.cholesky(self.prior_covariance).T
        noise = torch.randn(rows, 4, generator=generator, dtype=F64)
        with torch.no_grad():
            return z @ self.decoder.weight.T + self.decoder.bias + math.sqrt(VARIANCE) * noise


def observed(rows: int, **settings: object) -> LinearChain:
    """The model of `rows` observations drawn from it."""
    return LinearChain(LinearChain(**settings).sample(rows), **settings)  # type: ignore[arg-type]
