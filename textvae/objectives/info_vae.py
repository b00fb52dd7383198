"""InfoVAE: a smaller weight of the KL, and in exchange a penalty on the divergence of q(z) from p(z)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from textvae.distributions import unit_variance as unit_variance_of
from textvae.errors import ConfigError
from textvae.objectives.base import LOSS, BatchMean, Objective, ObjectiveSettings, local_mean
from textvae.objectives.elbo import kl_by_sentence
from textvae.objectives.importance_weights import output
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.types import LatentGroup, LatentTerms, ObjectiveOutput

_WIDTHS = (0.5, 1.0, 2.0)
"""Bandwidths of the kernels, in multiples of the mean of |z - z'|^2 / 2 for two draws of the prior, which is D for
N(0, I) and 1 on the unit sphere."""


class InfoVAEConfig(ObjectiveSettings):
    """Settings of InfoVAE with the maximum mean discrepancy."""

    kind: Literal["info_vae"] = "info_vae"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"scale": 10.0}, "kl": {"alpha": 0.5, "scale": 3.0}}
    compares_codes: ClassVar[bool] = True
    alpha: float = Field(1.0, le=1, description="KL weight 1 - alpha: 1 for no KL (MMD-VAE), 0 for all of it")
    scale: float = Field(100.0, ge=0, description="lambda: the larger, the closer q(z) is to p(z)")
    weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig, description="weight of both penalties")

    @model_validator(mode="after")
    def _pulls_codes_to_the_prior(self) -> InfoVAEConfig:
        if self.alpha + self.scale < 1.0:
            raise ValueError(
                f"alpha = {self.alpha:g} and scale = {self.scale:g} give the distance of q(z) from p(z) the weight "
                f"alpha + scale - 1 = {self.alpha + self.scale - 1.0:g}, which would reward it; set scale to at least "
                f"1 - alpha = {1.0 - self.alpha:g}"
            )
        return self

    @property
    def weights(self) -> Mapping[str, ScheduleConfig]:
        return {"weight": self.weight}

    @property
    def trains_prior(self) -> bool:
        return (self.alpha, self.scale) != (1.0, 0.0) and not self.weight.is_always(0.0)

    def build(self, *, steps_per_epoch: int, total_steps: int) -> InfoVAE:
        schedule = self.weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps)
        return InfoVAE(self.alpha, self.scale, schedule)


class InfoVAE(Objective):
    """loss = -E_q log p(x|z) + (1 - alpha) KL(q(z|x) || p(z)) + (alpha + lambda - 1) MMD^2(q(z), p(z)).

    Zhao et al. 2017 (arXiv 1706.02262, eq. 6). At alpha = 0 and lambda = 1 it is minus the ELBO.

    MMD^2 compares the weighted samples of the batch with as many from the prior. The estimate is unbiased, and may
    therefore be negative. With several processes each compares its own slice of the batch. The batch must be a random
    sample of the corpus, because for sentences of one length q(z | length) differs from q(z). Batches for this
    objective therefore mix all lengths (`compares_codes` in its config), and have much padding if lengths differ much.

    A prior with parameters is trained by both penalties, at alpha = 1 by MMD^2 alone. The loss is no bound, and the
    ELBO decreases with the KL weight, so the best epoch is chosen by this loss on validation sentences, `valid_loss`.

    Args:
        alpha: the share of the KL that is left out.
        scale: lambda.
        schedule: the weight of both penalties at each step.
    """

    competes_by: ClassVar[str] = LOSS

    def __init__(self, alpha: float, scale: float, schedule: Schedule) -> None:
        self.alpha, self.scale, self.schedule = alpha, scale, schedule

    @property
    def first_final_step(self) -> int:
        return self.schedule.first_final_step

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight = self.schedule(step)
        nll_B = terms.nll_B
        penalty_B = torch.zeros_like(nll_B)
        for group in terms.latents:
            if not group.z_SUD.is_floating_point() or group.z_SUD.dim() != 3:
                raise ConfigError(
                    f"info_vae compares the code vectors of sentences with those of the prior, and '{group.name}' is "
                    "not a vector for each sentence; use the objective elbo, or a text_vae."
                )
            if self.alpha != 1.0:
                penalty_B = penalty_B + (1.0 - self.alpha) * kl_by_sentence(group, terms)
            # The discrepancy is one number for the batch, added to the loss of every sentence.
            penalty_B = penalty_B + (self.alpha + self.scale - 1.0) * _of_group(group, terms)
        return output(terms, nll_B + weight * penalty_B, weight)


def _of_group(group: LatentGroup, terms: LatentTerms) -> Tensor:
    """MMD^2 between the batch's samples and as many of the prior, differentiable with respect to both."""
    by_sentence = len(group.prior.batch_shape) > 0
    shape = group.z_SUD.shape[:1] if by_sentence else group.z_SUD.shape[:-1]
    of_prior_SUD = group.prior.rsample(shape)
    return mmd_squared(
        group.z_SUD,
        of_prior_SUD.reshape(group.z_SUD.shape),
        # The weights are by sentence. Units shared by several sentences have equal weights.
        log_weight=terms.log_weight_SB if group.unit_B is None else None,
        paired=by_sentence,
        unit_variance=unit_variance_of(group.prior),
    )


def mmd_squared(
    x: Float[Tensor, "*S N D"],
    y: Float[Tensor, "*S N D"],
    *,
    log_weight: Float[Tensor, "*S N"] | None = None,
    paired: bool = False,
    unit_variance: float = 1.0,
) -> Float[Tensor, ""]:
    """The squared maximum mean discrepancy of two samples, by its U-statistic (Gretton et al. 2012, lemma 6).

    The kernel is the mean of Gaussians exp(-|x - y|^2 / (2 h)), h = D v / 2, D v and 2 D v with v = `unit_variance`.
    The expectation is zero if both samples have the same distribution. With fewer than two rows the result is 0.

    Args:
        x: N independent rows, with one sample each or S samples each. The S samples of a row may be dependent, so they
            are not compared with each other; this keeps the estimate unbiased.
        y: the other sample, of the same shape.
        log_weight: log-weights of the samples of x, whose exponentials sum to one over S in each row; equal if None.
        paired: whether row n of y depends on row n of x; such pairs are then not compared either.
        unit_variance: v, the variance of a coordinate under the plain prior of the space, which scales the kernel
            (`LatentDistribution.unit_variance`).

    >>> x = torch.tensor([[0.0], [0.0], [0.0]])
    >>> float(mmd_squared(x, x)), round(float(mmd_squared(x, x + 100.0)), 6)
    (0.0, 2.0)
    """
    rows, dims = x.shape[-2:]
    if rows < 2:
        return x.new_zeros(())
    x_MD, y_MD = x.reshape(-1, dims), y.reshape(-1, dims)
    even_M = x.new_full((len(x_MD),), 1.0 / len(x_MD))
    share_M = even_M if log_weight is None else log_weight.exp().reshape(-1) / rows
    row_M = torch.arange(len(x_MD), device=x.device) % rows
    apart_MM = (row_M.unsqueeze(1) != row_M).to(x.dtype)
    # The share of pairs of different rows among all pairs.
    pairs = (rows - 1) / rows
    scale = dims * unit_variance
    # By elementwise products and sums, because autocast would lower the precision of matrix products.
    within = _weighted(share_M, _kernel(x_MD, x_MD, scale) * apart_MM, share_M)
    within = within + _weighted(even_M, _kernel(y_MD, y_MD, scale) * apart_MM, even_M)
    between_MM = _kernel(x_MD, y_MD, scale)
    between = _weighted(share_M, between_MM * apart_MM / pairs if paired else between_MM, even_M)
    return within / pairs - 2.0 * between


def _weighted(left_M: Tensor, pairs_MM: Tensor, right_M: Tensor) -> Tensor:
    return (left_M.unsqueeze(1) * pairs_MM * right_M).sum()


def _kernel(x_ND: Tensor, y_MD: Tensor, scale: float) -> Tensor:
    distance_NM = (x_ND.unsqueeze(1) - y_MD.unsqueeze(0)).square().sum(-1)
    return torch.stack([torch.exp(-distance_NM / (2.0 * width * scale)) for width in _WIDTHS]).mean(0)
