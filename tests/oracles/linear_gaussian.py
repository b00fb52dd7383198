"""O1: a linear-Gaussian model, where log p(x), the posterior and every bound's target are known in closed form.

z ~ N(0, I) with D = 2, x | z ~ N(W z + b, 0.5 I) with 4 observed numbers. It speaks the contract of a model
(`posterior_of`, `prior`, `decoder.log_prob`, `terms`), so everything that takes bounds of a model takes it. What
is observed are vectors, not words: a batch says which ones through `example_id_B`, and its tokens are dummies.

The constants were computed with numpy and scipy, independently of this file.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from tests.oracles.oracle_model import OracleModel
from textvae.distributions import DiagonalGaussian, LatentDistribution
from textvae.types import BOS_ID, EOS_ID, Batch, Context, LatentGroup, LatentTerms

W = ((1.0, 0.5), (-0.3, 0.8), (0.6, -1.1), (0.2, 0.4))
B = (0.1, -0.2, 0.3, 0.0)
VARIANCE = 0.5
X = (0.7, -0.4, 1.2, 0.3)

LOG_P = -4.224401908
POSTERIOR_MEAN = (0.601855, -0.194712)
POSTERIOR_COV = ((0.256030, 0.029685), (0.029685, 0.184601))
Q_LOC, Q_SCALE = (0.3, -0.2), (0.6, 0.5)
ELBO = -4.479733
"""Of the deliberately imperfect q = N(Q_LOC, diag(Q_SCALE)^2): a gap of 0.255331."""
BEST_DIAGONAL_GAP = 0.009410
"""log p - ELBO of the best Gaussian with a diagonal covariance."""
IWAE = {5: -4.2598, 50: -4.2288}
"""Of the same q, by Monte Carlo (to about +-0.002)."""


class LinearDecoder(nn.Module):
    """log p(x|z) of the observed vectors; `tokens_BT` holds each one's row number in place of words."""

    latent_dim = 2
    num_labels = 0
    max_tokens = None

    def __init__(self, x_NX: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(W, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(B, dtype=torch.float64))
        self.x_NX = x_NX

    def log_prob(self, tokens_BT: Tensor, z_SBD: Tensor, context: Context | None = None) -> Tensor:
        x_BX = self.x_NX[tokens_BT[:, 1]]
        error = x_BX - z_SBD @ self.weight.T - self.bias
        return -0.5 * (error.square() / VARIANCE + math.log(2 * math.pi * VARIANCE)).sum(-1)

    def token_log_prob(self, tokens_BT: Tensor, z_SBD: Tensor, context: Context | None = None) -> Tensor:
        """All of log p(x|z) at the first of the two predicted positions."""
        log_px_SB = self.log_prob(tokens_BT, z_SBD)
        return torch.stack([log_px_SB, torch.zeros_like(log_px_SB)], -1)


class LinearGaussianModel(OracleModel):
    """The model with a posterior of your choice.

    Args:
        x_NX: observed vectors [N, 4]; the literature's single one by default.
        posterior: x_BX -> q(z|x); by default the imperfect one whose ELBO is known.
    """

    def __init__(self, x_NX: Tensor | None = None, posterior: nn.Module | None = None) -> None:
        super().__init__(vocab_size=5, max_tokens=1)
        if x_NX is None:
            x_NX = torch.tensor([X], dtype=torch.float64)
        self.x_NX = x_NX
        self.decoder = LinearDecoder(x_NX)
        self.posterior = posterior if posterior is not None else FixedPosterior()

    @property
    def device(self) -> torch.device:
        return self.decoder.weight.device

    def batch(self, indices: np.ndarray | list[int] | None = None) -> Batch:
        """Some of the observations (all by default), disguised as sentences of one word."""
        rows = torch.as_tensor(np.arange(len(self.x_NX)) if indices is None else np.asarray(indices))
        ones = torch.ones_like(rows)
        tokens_BT = torch.stack([ones * BOS_ID, rows, ones * EOS_ID], 1)
        return Batch(tokens_BT, ones * 3, None, rows)

    def prior(self, context: Context | None = None) -> DiagonalGaussian:
        return DiagonalGaussian(torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64))

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        return self.posterior(self.x_NX[batch.tokens_BT[:, 1]])

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        posterior, prior = self.posterior_of(batch), self.prior()
        z_SBD, log_q_SB = posterior.rsample_and_log_prob((num_samples,))
        per_dim = posterior.kl_per_dim(prior)
        group = LatentGroup(
            name="z",
            posterior=posterior,
            prior=prior,
            z_SUD=z_SBD,
            log_q_SU=log_q_SB,
            log_p_SU=prior.log_prob(z_SBD),
            kl_U=None if per_dim is None else per_dim.sum(-1),
            kl_per_dim_UD=per_dim,
        )
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD)
        log_weight_SB = torch.full_like(log_px_z_SB, -math.log(num_samples)).detach()
        return LatentTerms(log_px_z_SB, log_weight_SB, batch.lengths_B - 1, (group,))

    def log_joint(self, z_SBD: Tensor, batch: Batch) -> Tensor:
        """log p(x, z), [S, B]."""
        return self.decoder.log_prob(batch.tokens_BT, z_SBD) + self.prior().log_prob(z_SBD)

    def exact_log_p(self, x_BX: Tensor | None = None) -> Tensor:
        """log p(x), nats, [B]."""
        x_BX = self.x_NX if x_BX is None else x_BX
        weight, bias = self.decoder.weight, self.decoder.bias
        covariance = weight @ weight.T + VARIANCE * torch.eye(len(bias), dtype=torch.float64)
        return torch.distributions.MultivariateNormal(bias, covariance).log_prob(x_BX)

    def exact_posterior(self, x_BX: Tensor | None = None) -> torch.distributions.MultivariateNormal:
        """p(z|x), batch shape [B]; its covariance is the same for every x."""
        x_BX = self.x_NX if x_BX is None else x_BX
        weight, bias = self.decoder.weight, self.decoder.bias
        covariance = torch.linalg.inv(torch.eye(2, dtype=torch.float64) + weight.T @ weight / VARIANCE)
        mean_BD = (x_BX - bias) @ weight @ covariance / VARIANCE
        return torch.distributions.MultivariateNormal(mean_BD, covariance.expand(len(mean_BD), 2, 2))

    def sample(self, rows: int, seed: int = 0) -> Tensor:
        """Observations drawn from the model, [rows, 4]."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
        noise = torch.randn(rows, 4, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            return z @ self.decoder.weight.T + self.decoder.bias + math.sqrt(VARIANCE) * noise


class FixedPosterior(nn.Module):
    """The same diagonal Gaussian for every x; its parameters may be trained."""

    def __init__(self, loc: tuple[float, ...] = Q_LOC, scale: tuple[float, ...] = Q_SCALE) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.tensor(loc, dtype=torch.float64))
        self.log_scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64).log())

    def forward(self, x_BX: Tensor) -> DiagonalGaussian:
        shape = (len(x_BX), 2)
        return DiagonalGaussian(self.loc.expand(shape), self.log_scale.exp().expand(shape))


class FullGaussian(LatentDistribution):
    """A Gaussian with any covariance: what the exact posterior is.

    Args:
        mean_BD: means, [..., D].
        covariance_BDD: covariances, [..., D, D].
    """

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, mean_BD: Tensor, covariance_BDD: Tensor) -> None:
        self.inner = torch.distributions.MultivariateNormal(mean_BD, covariance_BDD)
        super().__init__(self.inner.batch_shape, self.inner.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.inner.mean

    @property
    def mode(self) -> Tensor:
        return self.inner.mean

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        return self.inner.rsample(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        return self.inner.log_prob(value)

    def detached(self) -> FullGaussian:
        return FullGaussian(self.inner.mean.detach(), self.inner.covariance_matrix.detach())

    def rows(self, index: object) -> FullGaussian:
        return FullGaussian(self.inner.mean[index], self.inner.covariance_matrix[index])  # type: ignore[index]


class ExactPosterior(nn.Module):
    """p(z|x) itself: every importance weight then equals p(x)."""

    def __init__(self, model: LinearGaussianModel) -> None:
        super().__init__()
        # In a tuple, so that torch does not take the model for a submodule of its own posterior.
        self._model = (model,)

    def forward(self, x_BX: Tensor) -> FullGaussian:
        exact = self._model[0].exact_posterior(x_BX)
        return FullGaussian(exact.mean, exact.covariance_matrix)


class BestDiagonalPosterior(nn.Module):
    """The diagonal Gaussian closest to p(z|x): its precision is the diagonal of the exact precision."""

    def __init__(self, model: LinearGaussianModel) -> None:
        super().__init__()
        self._model = (model,)

    def forward(self, x_BX: Tensor) -> DiagonalGaussian:
        exact = self._model[0].exact_posterior(x_BX)
        scale_BD = exact.precision_matrix.diagonal(dim1=-2, dim2=-1).rsqrt()
        return DiagonalGaussian(exact.mean, scale_BD)


def exact_model(x_NX: Tensor | None = None) -> LinearGaussianModel:
    """The model with its exact posterior."""
    model = LinearGaussianModel(x_NX)
    model.posterior = ExactPosterior(model)
    return model
