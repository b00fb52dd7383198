"""The evidence lower bound (ELBO), with a KL weight and free bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.errors import ConfigError
from textvae.objectives.base import BatchMean, KLWeightedSettings, Objective, local_mean
from textvae.objectives.free_bits import FreeBitsConfig
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.types import LatentGroup, LatentTerms, ObjectiveOutput


class ELBOConfig(KLWeightedSettings):
    """Settings of the (weighted) evidence lower bound."""

    kind: Literal["elbo"] = "elbo"
    takes_allowance: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    kl_weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig)
    free_bits: FreeBitsConfig | None = None

    @property
    def weights(self) -> Mapping[str, ScheduleConfig]:
        return {"kl_weight": self.kl_weight}

    @property
    def kl_allowance(self) -> FreeBitsConfig | None:
        return self.free_bits

    def build(self, *, steps_per_epoch: int, total_steps: int) -> ELBO:
        schedule = self.kl_weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps)
        return ELBO(schedule, self.free_bits)


class ELBO(Objective):
    """loss(x) = -E_q log p(x|z) + weight(step) * penalty, penalty = KL(q(z|x) || p(z)) or its free-bits form.

    Kingma & Welling 2014 (arXiv 1312.6114), eq. 10. At weight 1 without free bits, minus the loss is a lower bound of
    log p(x). The log-likelihood is the sum over tokens, not the mean: with a mean, the KL of the whole sentence would
    in effect be weighted by the sentence's length.

    Args:
        schedule: the KL weight at each step.
        free_bits: the free-bits settings; None for none.
    """

    def __init__(self, schedule: Schedule, free_bits: FreeBitsConfig | None = None) -> None:
        self.schedule, self.free_bits = schedule, free_bits

    @property
    def first_final_step(self) -> int:
        return self.schedule.first_final_step

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight = self.schedule(step)
        nll_B = terms.nll_B
        kl_B = torch.zeros_like(nll_B)
        penalty_B = torch.zeros_like(nll_B)
        for group in terms.latents:
            group_kl_B = kl_by_sentence(group, terms)
            kl_B = kl_B + group_kl_B
            penalty_B = penalty_B + self._penalty(group, group_kl_B, batch_mean)
        metrics = {"nll": nll_B.detach(), rate_name(terms): kl_B.detach(), "kl_penalty": penalty_B.detach()}
        for group in terms.latents:
            metrics |= kl_by_level(group.name, group.levels, group.kl_per_dim_UD)
        return ObjectiveOutput(nll_B + weight * penalty_B, metrics, weight)

    def _penalty(self, group: LatentGroup, kl_B: Tensor, batch_mean: BatchMean) -> Tensor:
        if self.free_bits is None or (group.kl_per_dim_UD is None and not _is_vector(group)):
            return kl_B
        if not self.free_bits.by_dimension:
            return self.free_bits.penalty(kl_B.unsqueeze(-1), batch_mean)
        if group.kl_per_dim_UD is None:
            raise ConfigError(
                f"free bits need the KL of each dimension, which '{group.name}' does not have; "
                "use a posterior and a prior that factorise, kind 'rate' or 'target', or remove objective.free_bits."
            )
        return self.free_bits.penalty(group.kl_per_dim_UD, batch_mean)


def _is_vector(group: LatentGroup) -> bool:
    """Whether a latent variable is a vector; free bits do not apply to labels."""
    return group.z_SUD.is_floating_point()


def rate_name(terms: LatentTerms) -> str:
    """The name of the sum of `kl_by_sentence` over latent variables: `kl`, or `extended_rate` with auxiliary variables.

    With auxiliary variables rho the sum is KL(q(z, rho|x) || p(z) p(rho)), by the chain rule at least
    KL(q(z|x) || p(z)).
    """
    return "extended_rate" if any(group.extended for group in terms.latents) else "kl"


def kl_by_sentence(group: LatentGroup, terms: LatentTerms) -> Tensor:
    """KL(q || p) of each sentence, [B], nats: in closed form, else estimated by Monte Carlo over the samples.

    For an extended latent variable it is the KL of the code together with its auxiliary variables; see `rate_name`.

    Raises:
        ConfigError: the latent variable has no density.
    """
    if group.kl_U is not None:
        return group.kl_U
    if group.log_q_SU is None:
        raise ConfigError(f"'{group.name}' has no density, so it has no KL; use the objective stein, which needs none.")
    return (terms.log_weight_SB.exp() * (group.log_q_SU - group.log_p_SU)).sum(0)


@torch.no_grad()
def kl_by_level(name: str, levels: int, kl_per_dim_UD: Tensor | None) -> dict[str, Tensor]:
    """KL of each level given the levels above, [U] nats, named `kl_NAME_1` (the top level), `kl_NAME_2` and so on.

    Empty for a code without levels, or without a KL by dimension. The arguments are attributes of `LatentGroup`.

    >>> {name: kl_U.tolist() for name, kl_U in kl_by_level("z", 2, torch.tensor([[1.0, 2.0, 4.0, 8.0]])).items()}
    {'kl_z_1': [3.0], 'kl_z_2': [12.0]}
    """
    if levels == 1 or kl_per_dim_UD is None:
        return {}
    kl_UL = kl_per_dim_UD.unflatten(-1, (levels, -1)).sum(-1)
    return {f"kl_{name}_{level}": kl_U for level, kl_U in enumerate(kl_UL.unbind(-1), start=1)}
