"""The importance-weighted bound with several samples, and three estimators of its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.config import MAX_PARTS
from textvae.objectives.base import BatchMean, Gradient, KLWeightedSettings, Objective, local_mean
from textvae.objectives.importance_weights import log_importance_weights, output
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.types import LatentTerms, ObjectiveOutput


class IWAEConfig(KLWeightedSettings):
    """Settings of the importance-weighted objective."""

    kind: Literal["iwae"] = "iwae"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "plain": {"samples": 3, "gradient": "plain"},
        "sticking_the_landing": {"samples": 1, "gradient": "sticking_the_landing"},
        "doubly_reparameterized": {"samples": 3},
    }
    samples: int = Field(5, ge=1, le=MAX_PARTS, description="k; a step costs as many decoder passes")
    gradient: Gradient = Field("doubly_reparameterized", description="estimator of the encoder's gradient; see IWAE")
    kl_weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig)

    @property
    def weights(self) -> Mapping[str, ScheduleConfig]:
        return {"kl_weight": self.kl_weight}

    @property
    def gradient_estimator(self) -> Gradient:
        return self.gradient

    def build(self, *, steps_per_epoch: int, total_steps: int) -> IWAE:
        schedule = self.kl_weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps)
        return IWAE(self.samples, self.gradient, schedule)


class IWAE(Objective):
    """loss(x) = -log sum_s weight_s w_s, with w = p(x, z) / q(z|x) and weights 1/k.

    Burda et al. 2016 (arXiv 1509.00519), eq. 8.

    At KL weight 1 minus the loss is a lower bound of log p(x), tighter for larger k. At k = 1 it is the ELBO with a
    Monte Carlo KL. The gradient estimators:

    - ``plain``: the gradient of the formula. For the encoder, its signal-to-noise ratio vanishes as k grows (Rainforth
      et al. 2018, arXiv 1802.04537).
    - ``sticking_the_landing``: without the score of q (Roeder et al. 2017, arXiv 1703.09194). Unbiased at k = 1, and at
      KL weight 0, where it is the plain one. Otherwise it is biased for the encoder: the omitted term, weight *
      E sum_s share_s d log q(z_s), is not zero, because the shares depend on the samples.
    - ``doubly_reparameterized``: unbiased at any k and any KL weight. At weight 1 it has no variance if q is exact
      (Tucker et al. 2018, arXiv 1810.04152, eq. 8); at weight 0 it is the plain one. It scales the gradient that
      reaches the encoder through a sample, as derived below, and with it that of a regularizer that reads the samples.
      The settings of a training refuse it together with `torch.compile`, because gradients inside compiled terms could
      not be scaled.

    With a_s = log p(x|z_s) + beta (log p(z_s) - log q(z_s)) and share = softmax(a), the encoder's gradient of
    log sum_s exp(a_s) is sum_s share_s (da_s/dz_s dz_s - beta d log q(z_s)). If q is reparameterized, the expectation
    of g(z) times the score equals that of dg/dz dz. Here g = share_s, and dshare_s/dz_s = share_s (1 - share_s)
    da_s/dz_s. Hence the gradient

        sum_s share_s (1 - beta + beta share_s) da_s/dz_s dz_s,

    where q's parameters inside a_s are constant. The samples must be draws of q with equal weights.

    Args:
        samples: k.
        gradient: the estimator of the encoder's gradient.
        schedule: the weight of log p(z) - log q(z|x) at each step.
    """

    def __init__(self, samples: int, gradient: Gradient, schedule: Schedule) -> None:
        self.num_samples, self.gradient, self.schedule = samples, gradient, schedule

    @property
    def first_final_step(self) -> int:
        return self.schedule.first_final_step

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight = self.schedule(step)
        log_w_SB = log_importance_weights(terms, weight, stop_posterior=self.gradient != "plain")
        log_w_SB = terms.log_weight_SB + log_w_SB
        bound_B = log_w_SB.logsumexp(0)
        if self.gradient == "doubly_reparameterized":
            share_SB = log_w_SB.detach().softmax(0)
            for group in terms.latents:
                _scale_gradient(group.z_SUD, 1.0 - weight + weight * share_SB)
            # Where a label is known, the other labels have share 0 and log-weight -inf, whose product would be NaN.
            surrogate_B = torch.where(share_SB > 0, share_SB * log_w_SB, 0.0).sum(0)
            bound_B = bound_B.detach() + surrogate_B - surrogate_B.detach()
        return output(terms, -bound_B, weight)


def _scale_gradient(z_SBD: Tensor, factor_SB: Tensor) -> None:
    """Multiply the gradient with respect to each sample by its factor, in the backward pass."""
    if z_SBD.requires_grad:
        z_SBD.register_hook(lambda grad_SBD: grad_SBD * torch.unsqueeze(factor_SB, -1))
