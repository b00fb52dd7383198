"""The semi-amortised posterior: the encoder's Gaussian, refined for each sentence by gradient steps on its ELBO."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from textvae.config import MAX_PARTS
from textvae.distributions import DiagonalGaussian, LatentDistribution
from textvae.layers import at_least_float32, keyed_normal
from textvae.posteriors.base import JointDensity, NeedsJoint, PosteriorSettings, Refined
from textvae.posteriors.gaussian import GaussianPosteriorConfig
from textvae.types import Context

_GROWTH, _SHRINKAGE = 1.25, 0.4
"""Factors of a sentence's step size after an accepted and after a rejected step."""


class SemiAmortizedPosteriorConfig(PosteriorSettings):
    """Settings of a semi-amortised posterior."""

    kind: Literal["semi_amortized"] = "semi_amortized"
    factorizes: ClassVar[bool] = True
    refines_bound: ClassVar[bool] = True
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation, so that no density overflows")
    steps: int = Field(
        10, ge=0, le=MAX_PARTS, description="gradient steps for each sentence; 0 leaves the encoder's Gaussian as it is"
    )
    lr: float = Field(
        1.0, gt=0, description="largest step size; for a Gaussian target a step of size 1 reaches the optimum"
    )
    momentum: float = Field(0.0, ge=0, lt=1)
    clip: float = Field(5.0, gt=0, description="longest step, in posterior standard deviations")
    samples: int = Field(
        2, ge=2, le=MAX_PARTS, multiple_of=2, description="codes that estimate the bound, in antithetic pairs"
    )

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> SemiAmortizedPosterior:
        return SemiAmortizedPosterior(self, feature_dim, latent_dim, num_labels)


class SemiAmortizedPosterior(NeedsJoint):
    """q(z|x) = N(mu, diag(s^2)), where gradient steps on each sentence's ELBO improve the encoder's (mu, log s).

    Kim et al. 2018 (arXiv 1802.02550), sections 3 and 4, with three differences:

    - The ELBO of a sentence is estimated with fixed noise that depends only on the sentence, and a step that lowers it
      is undone and repeated with a smaller step size. The refined bound is therefore never below the encoder's, and
      q(z|x) is a deterministic function of x.
    - Steps follow the natural gradient: the gradient times s^2 for the mean and times 1/2 for log s (the inverse Fisher
      information of a Gaussian), so that one step size suits wide and narrow posteriors.
    - Training does not differentiate through the steps.

    The decoder is trained on samples of the refined q, and the reported bound is that of the refined q. The encoder is
    trained by two gradients. The first is that of the objective at the refined q, with the change made by the steps
    held constant (the first-order form of an unrolled optimization; Nichol et al. 2018, arXiv 1803.02999); KL weights
    and free bits act on it. The second is that of the plain ELBO of the encoder's own q with the fixed noise. The first
    step computes it anyway (Krishnan et al. 2018, arXiv 1710.06085, train an encoder by it too; Marino et al. 2018,
    arXiv 1807.09356, sum the bounds of all steps). The first gradient alone vanishes as the steps converge, even if the
    encoder's q is far from the refined one.

    The steps maximize the bound at KL weight 1, whatever the objective's weight is. Settings with other KL weights, and
    objectives that are no bound, are refused, as they would hardly change the codes.

    The noise comes in antithetic pairs with second moments of exactly one. This makes the expectation of every
    quadratic without mixed terms exact, such as that of log p(z) under a standard normal prior; with 2 D codes, that of
    every quadratic.

    Cost: (steps + 1) * samples more gradients of the decoder, in training and wherever q(z|x) is formed.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, the encoder's q(z|x, y) depends on y too.

    >>> import torch
    >>> SemiAmortizedPosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.zeros(3, 6)).batch_shape
    torch.Size([3])
    """

    def __init__(
        self, config: SemiAmortizedPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0
    ) -> None:
        super().__init__()
        self.config = config
        self.amortized = GaussianPosteriorConfig(min_scale=config.min_scale).build(
            feature_dim=feature_dim, latent_dim=latent_dim, num_labels=num_labels
        )

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> DiagonalGaussian:
        return self.amortized(features_BH, context)

    def refine(self, start: LatentDistribution, log_joint: JointDensity, key_B: Int[Tensor, " B"]) -> Refined:
        assert isinstance(start, DiagonalGaussian)
        with torch.no_grad():
            first = Parameters(start.loc.detach(), start.scale.detach().log())
            noise_SBD = balanced_noise(key_B, self.config.samples, first.loc_BD.shape[-1], first.loc_BD.dtype)
            bound = bound_and_natural_gradient(first, log_joint, noise_SBD)
            last = self._climb(first, bound, log_joint, noise_SBD)
            shift_BD, ratio_BD = last.loc_BD - first.loc_BD, (last.log_scale_BD - first.log_scale_BD).exp()
            by_loc_BD = bound.gradient.loc_BD / start.scale.square()
            by_log_scale_BD = 2.0 * bound.gradient.log_scale_BD
        log_scale_BD = start.scale.log()
        surrogate_BD = by_loc_BD * (start.loc - start.loc.detach())
        surrogate_BD = surrogate_BD + by_log_scale_BD * (log_scale_BD - log_scale_BD.detach())
        refined = DiagonalGaussian(start.loc + shift_BD, start.scale * ratio_BD, validate_args=False)
        return Refined(refined, surrogate_BD.sum(-1))

    def _climb(self, here: Parameters, bound: Bound, log_joint: JointDensity, noise_SBD: Tensor) -> Parameters:
        """Maximize the bounds of all sentences at once, each with its own step size, momentum and acceptance test."""
        config, lowest = self.config, math.log(self.config.min_scale)
        velocity = Parameters(torch.zeros_like(here.loc_BD), torch.zeros_like(here.loc_BD))
        lr_B1 = torch.full_like(here.loc_BD[:, :1], config.lr)
        for _ in range(config.steps):
            step = clipped(bound.gradient, here, config.clip)
            velocity = Parameters(*(config.momentum * v + s for v, s in zip(velocity, step, strict=True)))
            there = Parameters(
                here.loc_BD + lr_B1 * velocity.loc_BD,
                (here.log_scale_BD + lr_B1 * velocity.log_scale_BD).clamp_min(lowest),
            )
            tried = bound_and_natural_gradient(there, log_joint, noise_SBD)
            # False for NaN, so that a step to a bound that is not a number is undone.
            better_B1 = (tried.value_B > bound.value_B).unsqueeze(1)
            here, bound = chosen(better_B1, there, here), chosen_bound(better_B1, tried, bound)
            velocity = Parameters(*(v * better_B1 for v in velocity))
            lr_B1 = torch.where(better_B1, (_GROWTH * lr_B1).clamp_max(config.lr), _SHRINKAGE * lr_B1)
        return here


class Parameters(NamedTuple):
    """The parameters of diagonal Gaussians, or a change of them."""

    loc_BD: Tensor
    log_scale_BD: Tensor


class Bound(NamedTuple):
    """ELBOs with fixed noise, in nats, and their natural gradients."""

    value_B: Tensor
    gradient: Parameters


def bound_and_natural_gradient(at: Parameters, log_joint: JointDensity, noise_SBD: Tensor) -> Bound:
    """The mean of log p(x, mu + s noise) plus the entropy of q (without its constant), and the natural gradient."""
    scale_BD = at.log_scale_BD.exp()
    value_SB, grad_SBD = log_joint.value_and_grad(at.loc_BD + scale_BD * noise_SBD)
    grad_SBD = at_least_float32(grad_SBD)
    by_log_scale_BD = (grad_SBD * noise_SBD).mean(0) * scale_BD + 1.0
    natural = Parameters(scale_BD.square() * grad_SBD.mean(0), 0.5 * by_log_scale_BD)
    return Bound(value_SB.mean(0) + at.log_scale_BD.sum(-1), natural)


def clipped(step: Parameters, at: Parameters, longest: float) -> Parameters:
    """Shorten a step to `longest` in the Fisher metric: means in standard deviations, log-scales times sqrt(2)."""
    square_B = (step.loc_BD / at.log_scale_BD.exp()).square().sum(-1) + 2.0 * step.log_scale_BD.square().sum(-1)
    factor_B1 = (longest / square_B.sqrt().clamp_min(longest)).unsqueeze(1)
    return Parameters(step.loc_BD * factor_B1, step.log_scale_BD * factor_B1)


def chosen(first_B1: Tensor, one: Parameters, other: Parameters) -> Parameters:
    """`one` in the rows where `first_B1` is true, `other` elsewhere."""
    return Parameters(*(torch.where(first_B1, a, b) for a, b in zip(one, other, strict=True)))


def chosen_bound(first_B1: Tensor, one: Bound, other: Bound) -> Bound:
    """`one` in the rows where `first_B1` is true, `other` elsewhere."""
    value_B = torch.where(first_B1.squeeze(1), one.value_B, other.value_B)
    return Bound(value_B, chosen(first_B1, one.gradient, other.gradient))


def balanced_noise(key_B: Tensor, samples: int, dim: int, dtype: torch.dtype) -> Tensor:
    """Normal noise for each sentence, adjusted so that its sample moments are exact, [S, B, D].

    The second half is the negative of the first, so odd moments vanish. Every dimension has mean square 1. If
    S >= 2 D, different dimensions are uncorrelated too.

    Args:
        key_B: a hash of each sentence, which determines its noise.
        samples: S, even.
        dim: D.
        dtype: the dtype of the result.

    >>> noise = balanced_noise(torch.tensor([3, 4]), 2, 5, torch.float64)
    >>> noise.sum(0).abs().max().item(), bool((noise.square().mean(0) - 1).abs().max() < 1e-12)
    (0.0, True)
    """
    half_SBD = keyed_normal(key_B, samples // 2, dim, dtype)
    if samples // 2 >= dim:
        half_SBD = torch.linalg.qr(half_SBD.transpose(0, 1))[0].transpose(0, 1) * math.sqrt(samples // 2)
    else:
        half_SBD = half_SBD / half_SBD.square().mean(0).sqrt()
    return torch.cat([half_SBD, -half_SBD])
