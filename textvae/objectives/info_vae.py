"""InfoVAE: less KL for each sentence, and a divergence of the aggregated posterior from the prior instead."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from textvae.config import Component
from textvae.errors import ConfigError
from textvae.objectives.elbo import BatchMean, kl_by_sentence, local_mean
from textvae.objectives.importance_weights import output
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.types import LatentTerms, ObjectiveOutput

_WIDTHS = (0.5, 1.0, 2.0)
"""Of the kernels, in multiples of D, which is what |z - z'|^2 / 2 of two draws from N(0, I) is on average."""


class InfoVAEConfig(Component):
    """Settings of InfoVAE with the maximum mean discrepancy."""

    kind: Literal["info_vae"] = "info_vae"
    compares_vectors: ClassVar[bool] = True
    alpha: float = Field(1.0, le=1, description="1 charges no KL by sentence (MMD-VAE), 0 all of it")
    scale: float = Field(100.0, ge=0, description="lambda: the larger, the closer is q(z) to p(z)")
    weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig, description="of both penalties")

    def build(self, *, steps_per_epoch: int, total_steps: int) -> InfoVAE:
        schedule = self.weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps)
        return InfoVAE(self.alpha, self.scale, schedule)


class InfoVAE:
    """loss = -E_q log p(x|z) + (1 - alpha) KL(q(z|x) || p(z)) + (alpha + lambda - 1) MMD^2(q(z), p(z)).

    Zhao et al. 2017 (arXiv 1706.02262, eq. 6). At alpha = 0 and lambda = 1 it is minus the ELBO. MMD^2 compares the
    samples of the batch with as many from the prior, without bias and so at times below zero; each of several
    processes compares its own slice. The loss is no bound; checkpoints compete on the ELBO all the same.

    Args:
        alpha: share of the KL that is given up.
        scale: lambda.
        schedule: the weight of everything beyond the reconstruction, by step.
    """

    def __init__(self, alpha: float, scale: float, schedule: Schedule) -> None:
        self.alpha, self.scale, self.schedule = alpha, scale, schedule

    @property
    def first_final_step(self) -> int:
        return self.schedule.first_final_step

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight = self.schedule(step)
        nll_B = -(terms.log_weight_SB.exp() * terms.log_px_z_SB).sum(0)
        penalty_B = torch.zeros_like(nll_B)
        for group in terms.latents:
            if not group.z_SUD.is_floating_point() or group.z_SUD.dim() != 3:
                raise ConfigError(
                    f"info_vae compares vectors of sentences with a prior's, and '{group.name}' is none; use the "
                    "objective elbo, or a text_vae."
                )
            if self.alpha != 1.0:
                penalty_B = penalty_B + (1.0 - self.alpha) * kl_by_sentence(group, terms)
            z_ND = group.z_SUD.flatten(0, 1)
            shape = (len(z_ND),) if not group.prior.batch_shape else group.z_SUD.shape[:1]
            with torch.no_grad():
                of_prior_ND = group.prior.sample(torch.Size(shape)).reshape(z_ND.shape)
            # The batch has one discrepancy; every sentence bears it alike.
            penalty_B = penalty_B + (self.alpha + self.scale - 1.0) * mmd_squared(z_ND, of_prior_ND)
        return output(terms, nll_B + weight * penalty_B, weight)


def mmd_squared(x_ND: Float[Tensor, "N D"], y_ND: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The squared maximum mean discrepancy of two samples, by its U-statistic (Gretton et al. 2012, lemma 6).

    The kernel is the mean of Gaussians exp(-|x - y|^2 / (2 h)), h = D / 2, D and 2 D. Zero in expectation where both
    samples are of one distribution; 0 for fewer than two rows, which tell nothing.

    >>> x = torch.tensor([[0.0], [0.0], [0.0]])
    >>> float(mmd_squared(x, x)), round(float(mmd_squared(x, x + 100.0)), 6)
    (0.0, 2.0)
    """
    rows = len(x_ND)
    if rows < 2:
        return x_ND.new_zeros(())
    same = 1.0 - torch.eye(rows, dtype=x_ND.dtype, device=x_ND.device)
    pairs = rows * (rows - 1)
    within = (_kernel(x_ND, x_ND) * same).sum() + (_kernel(y_ND, y_ND) * same).sum()
    return within / pairs - 2.0 * _kernel(x_ND, y_ND).mean()


def _kernel(x_ND: Tensor, y_MD: Tensor) -> Tensor:
    distance_NM = (x_ND.unsqueeze(1) - y_MD.unsqueeze(0)).square().sum(-1)
    dims = x_ND.shape[-1]
    return torch.stack([torch.exp(-distance_NM / (2.0 * width * dims)) for width in _WIDTHS]).mean(0)
