"""Free bits: some KL is exempt from the penalty, so that z is used. Several penalties have this name.

With R = the KL of a sentence, summed over dimensions, and F = `nats`:

============ ==========================================================================
kind         mean penalty
============ ==========================================================================
batch_mean   sum_d max(F / D, mean_b KL_bd): every dimension pays above its own share
per_sentence mean_b sum_d max(F / D, KL_bd): every dimension of every sentence does
rate         max(F, mean_b R_b): the total is free up to F, wherever it is spent
target       abs(mean_b R_b - F): the total is pulled to F from both sides
============ ==========================================================================

At F = 0 each is the plain KL. Means over the batch are over the global batch. A model with several latent vectors
applies the penalty to each of them. A code with levels is one vector, whose KL by dimension is given the levels above:
the first two kinds then set a floor for every level, the other two for all levels together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.config import Component


class BatchMeanFreeBitsConfig(Component):
    """sum_d max(nats / D, mean over the batch of KL_d): Kingma et al. 2016 (arXiv 1606.04934), eq. 15.

    `nats` is the free KL of a sentence, shared equally by the D dimensions.
    """

    by_dimension: ClassVar[bool] = True
    kind: Literal["batch_mean"] = "batch_mean"
    nats: float = Field(8.0, ge=0, description="free nats per sentence, all dimensions together")

    def penalty(self, kl_BD: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
        """The penalty of each sentence, [B], whose batch mean is the formula above.

        The batch mean decides only which dimensions are above the floor; it has no gradient.
        """
        floor = self.nats / kl_BD.shape[-1]
        paying_D = batch_mean(kl_BD.detach()) > floor
        return torch.where(paying_D, kl_BD, torch.full_like(kl_BD, floor)).sum(-1)


class PerSentenceFreeBitsConfig(Component):
    """sum_d max(nats / D, KL_d) for each sentence: the form of Li et al. 2019 (arXiv 1909.00868)."""

    by_dimension: ClassVar[bool] = True
    kind: Literal["per_sentence"] = "per_sentence"
    nats: float = Field(8.0, ge=0, description="free nats per sentence, all dimensions together")

    def penalty(self, kl_BD: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
        """The penalty of each sentence, [B]."""
        return kl_BD.clamp_min(self.nats / kl_BD.shape[-1]).sum(-1)


class RateFreeBitsConfig(Component):
    """max(nats, mean over the batch of KL): a hinge on the whole rate, as in Razavi et al. 2019 (arXiv 1901.03416).

    Alemi et al. 2018 (arXiv 1711.00464) call the KL the rate. Unlike with `batch_mean`, a few dimensions can use all of
    the free nats, and no dimension is rewarded for being used. Below the floor the KL has no gradient at all.
    """

    by_dimension: ClassVar[bool] = False
    kind: Literal["rate"] = "rate"
    nats: float = Field(8.0, ge=0, description="free nats per sentence, all dimensions together")

    def penalty(self, kl_BD: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
        """The penalty of each sentence, [B], whose batch mean is the formula above.

        The batch mean decides, for all sentences alike, whether the floor is exceeded.

        >>> kl_BD = torch.tensor([[0.5, 1.0], [3.5, 1.0]])
        >>> RateFreeBitsConfig(nats=2.0).penalty(kl_BD, lambda x: x.mean(0)).tolist()
        [1.5, 4.5]
        >>> RateFreeBitsConfig(nats=4.0).penalty(kl_BD, lambda x: x.mean(0)).tolist()
        [4.0, 4.0]
        """
        kl_B = kl_BD.sum(-1)
        paying = batch_mean(kl_B.detach()) > self.nats
        return torch.where(paying, kl_B, torch.full_like(kl_B, self.nats))


class TargetFreeBitsConfig(Component):
    """abs(mean over the batch of KL - nats): the rate is pulled to a target value, from above and from below.

    Burgess et al. 2018 (arXiv 1804.03599), eq. 8, with the absolute value of the batch mean instead of each sentence's,
    so that the KL may differ between sentences. Their factor gamma is the objective's `kl_weight`; their growing C is
    constant here, `nats`. Below the target a larger KL is rewarded, whether or not z carries information about the
    sentence.
    """

    by_dimension: ClassVar[bool] = False
    kind: Literal["target"] = "target"
    nats: float = Field(8.0, ge=0, description="target rate per sentence, all dimensions together")

    def penalty(self, kl_BD: Tensor, batch_mean: Callable[[Tensor], Tensor]) -> Tensor:
        """The penalty of each sentence, [B], whose batch mean is the formula above.

        It is nats - KL if the batch mean of the KL is below the target, else KL - nats.

        >>> kl_BD = torch.tensor([[0.5, 1.0], [3.5, 1.0]])
        >>> TargetFreeBitsConfig(nats=4.0).penalty(kl_BD, lambda x: x.mean(0)).tolist()
        [2.5, -0.5]
        """
        kl_B = kl_BD.sum(-1)
        below = batch_mean(kl_B.detach()) < self.nats
        return torch.where(below, self.nats - kl_B, kl_B - self.nats)


FreeBitsConfig = Annotated[
    BatchMeanFreeBitsConfig | PerSentenceFreeBitsConfig | RateFreeBitsConfig | TargetFreeBitsConfig,
    Field(discriminator="kind"),
]
