"""Free bits: KL that costs nothing, so that z is used. Two different objectives bear this name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.config import Component


class BatchMeanFreeBitsConfig(Component):
    """sum_d max(nats / D, mean over the batch of KL_d): Kingma et al. 2016 (arXiv 1606.04934), eq. 15.

    `nats` is the whole allowance of a sentence, shared equally by the D dimensions.
    """

    kind: Literal["batch_mean"] = "batch_mean"
    nats: float = Field(8.0, ge=0, description="free nats per sentence, all dimensions together")

    def penalty(self, kl_BD: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
        """The penalised KL of each sentence, [B], whose batch mean is the formula above.

        Only which dimensions are above the floor depends on the batch; that decision is made on its mean.
        """
        floor = self.nats / kl_BD.shape[-1]
        paying_D = batch_mean(kl_BD.detach()) > floor
        return torch.where(paying_D, kl_BD, torch.full_like(kl_BD, floor)).sum(-1)


class PerSentenceFreeBitsConfig(Component):
    """sum_d max(nats / D, KL_d) for each sentence: the form of Li et al. 2019 (arXiv 1909.00868)."""

    kind: Literal["per_sentence"] = "per_sentence"
    nats: float = Field(8.0, ge=0, description="free nats per sentence, all dimensions together")

    def penalty(self, kl_BD: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
        """The penalised KL of each sentence, [B]."""
        return kl_BD.clamp_min(self.nats / kl_BD.shape[-1]).sum(-1)


FreeBitsConfig = Annotated[
    BatchMeanFreeBitsConfig | PerSentenceFreeBitsConfig,
    Field(discriminator="kind"),
]
