"""Renyi's variational bound, a family of bounds with the ELBO and the importance-weighted bound as special cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from textvae.config import MAX_PARTS
from textvae.objectives.base import BatchMean, KLWeightedSettings, Objective, local_mean
from textvae.objectives.importance_weights import log_importance_weights, output
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.types import LatentTerms, ObjectiveOutput


class RenyiConfig(KLWeightedSettings):
    """Settings of Renyi's bound."""

    kind: Literal["renyi"] = "renyi"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {"samples": 3}}
    alpha: float = Field(
        0.5, description="order: 0 is the importance-weighted bound, the limit at 1 the ELBO; below 0 it is no bound"
    )
    samples: int = Field(5, ge=1, le=MAX_PARTS, description="k; a step costs as many decoder passes")
    kl_weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig)

    @property
    def weights(self) -> Mapping[str, ScheduleConfig]:
        return {"kl_weight": self.kl_weight}

    @field_validator("alpha")
    @classmethod
    def _not_the_elbo(cls, value: float) -> float:
        if abs(value - 1.0) < 1e-6:
            raise ValueError("at alpha = 1 the bound is the ELBO; use the objective elbo")
        return value

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Renyi:
        schedule = self.kl_weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps)
        return Renyi(self.alpha, self.samples, schedule)


class Renyi(Objective):
    """loss(x) = -1 / (1 - alpha) * log sum_s weight_s w_s^(1 - alpha) (Li & Turner 2016, arXiv 1602.02311, eq. 15).

    For 0 <= alpha < 1 minus the loss is, in expectation, a lower bound of log p(x). It decreases with alpha, towards
    the ELBO. With finite k the estimate is biased towards the ELBO for any alpha. A larger alpha makes q cover less of
    the posterior.

    Args:
        alpha: order of the divergence.
        samples: k.
        schedule: the weight of log p(z) - log q(z|x) at each step.
    """

    def __init__(self, alpha: float, samples: int, schedule: Schedule) -> None:
        self.alpha, self.num_samples, self.schedule = alpha, samples, schedule

    @property
    def first_final_step(self) -> int:
        return self.schedule.first_final_step

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight = self.schedule(step)
        power = 1.0 - self.alpha
        log_w_SB = log_importance_weights(terms, weight)
        bound_B = (terms.log_weight_SB + power * log_w_SB).logsumexp(0) / power
        return output(terms, -bound_B, weight)
