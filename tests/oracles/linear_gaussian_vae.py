"""A real TextVAE, any posterior and prior, around the linear-Gaussian decoder: log p(x) is an integral over a plane.

Its encoder hands over the observed vector itself, so that a posterior's own network is all between x and q(z|x). What
is observed are vectors, not words; see `linear_gaussian`. Codes have two dimensions: log p(x) is had by the trapezoidal
rule on a grid, or around the circle where codes live on one.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tests.oracles import linear_gaussian
from textvae.encoders import LSTMEncoderConfig
from textvae.models import TextVAE, TextVAEConfig
from textvae.posteriors import PosteriorConfig
from textvae.priors import PriorConfig
from textvae.types import Batch

_REACH, _POINTS = 8.0, 201
"""The grid goes this far from zero, in so many points a side; around the circle there are as many."""


class ObservedVector(nn.Module):
    """tokens -> the observed vector they stand for."""

    feature_dim = 4

    def __init__(self, x_NX: Tensor) -> None:
        super().__init__()
        self.x_NX = x_NX

    def forward(self, tokens_BT: Tensor, lengths_B: Tensor) -> Tensor:
        return self.x_NX[tokens_BT[:, 1]]


def linear_gaussian_vae(posterior: PosteriorConfig, prior: PriorConfig, x_NX: Tensor) -> TextVAE:
    """The model, float64, with the weights of O1 in its decoder."""
    config = TextVAEConfig(
        latent_dim=2, encoder=LSTMEncoderConfig(embedding_dim=2, hidden_dim=4), posterior=posterior, prior=prior
    )
    model = config.build(vocab_size=5, max_tokens=1, label_names=("a", "b", "c"))
    assert model.encoder.feature_dim == ObservedVector.feature_dim
    model.encoder = ObservedVector(x_NX)
    model.decoder = linear_gaussian.LinearDecoder(x_NX)
    return model.double()


def batch_of(model: TextVAE, rows: int) -> Batch:
    """The first observations."""
    whole = linear_gaussian.LinearGaussianModel(model.encoder.x_NX)  # type: ignore[arg-type]
    return whole.batch(list(range(rows)))


def grid(model: TextVAE, points: int = _POINTS) -> tuple[Tensor, float]:
    """Codes [S, 2] all over the space, and the logarithm of what each of them stands for."""
    if model.support == "sphere":
        angle_S = torch.arange(points, dtype=torch.float64) * (2 * math.pi / points)
        return torch.stack([angle_S.cos(), angle_S.sin()], -1), math.log(2 * math.pi / points)
    axis = torch.linspace(-_REACH, _REACH, points, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), 2 * math.log(2 * _REACH / (points - 1))


@torch.no_grad()
def exact_log_p(model: TextVAE, rows: int) -> Tensor:
    """log p(x) of the first observations, nats, [rows]."""
    z_SD, log_area = grid(model)
    batch = batch_of(model, rows)
    log_joint_SB = model.decoder.log_prob(batch.tokens_BT, z_SD.unsqueeze(1)) + model.prior().log_prob(z_SD)[:, None]
    return log_joint_SB.logsumexp(0) + log_area


@torch.no_grad()
def exact_codes(model: TextVAE, rows: int, seed: int = 0) -> Tensor:
    """A draw of p(z|x) for each of the first observations, [rows, 2]: a point of the grid by its share of the mass.

    What depends smoothly on z has the same mean over such draws as over those of the whole plane, to the accuracy with
    which the grid integrates it.
    """
    z_SD, _ = grid(model)
    batch, generator = batch_of(model, rows), torch.Generator().manual_seed(seed)
    log_joint_SB = model.decoder.log_prob(batch.tokens_BT, z_SD.unsqueeze(1)) + model.prior().log_prob(z_SD)[:, None]
    return z_SD[torch.multinomial(log_joint_SB.softmax(0).T, 1, generator=generator).squeeze(1)]


@torch.no_grad()
def mass(model: TextVAE, distribution: Any, points: int = _POINTS) -> Tensor:
    """What a density over codes integrates to, of its batch shape."""
    z_SD, log_area = grid(model, points)
    shape = (len(z_SD), *[1] * len(distribution.batch_shape), 2)
    log_p = distribution.log_prob(z_SD.view(shape).expand(len(z_SD), *distribution.batch_shape, 2))
    return (log_p.logsumexp(0) + log_area).exp()


def unresolved(model: TextVAE, distribution: Any) -> float:
    """How far the grid is from integrating a density: what its mass moves by from half as many points to all.

    Nothing for smooth densities, percents for one with a cusp, as a Laplace has.
    """
    return float((mass(model, distribution) - mass(model, distribution, _POINTS // 2)).abs().max())
