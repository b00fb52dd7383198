"""Some labels without replacement, their probabilities normalized among themselves: biased."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from textvae.config import MAX_PARTS
from textvae.label_sums.base import LabelSum, LabelSumSettings, WeightedLabels
from textvae.label_sums.enumerate import EnumerateLabels


class RenormalizedConfig(LabelSumSettings):
    """Settings of the renormalized sum."""

    kind: Literal["renormalized"] = "renormalized"
    variants: ClassVar = {"": {}}
    unbiased: ClassVar[bool] = False
    labels: int = Field(2, ge=2, le=MAX_PARTS, description="labels of each sentence, all of them different")

    def decoded(self, labels: int) -> int:
        return min(self.labels, labels)

    def build(self) -> RenormalizedLabels:
        return RenormalizedLabels(self)


class RenormalizedLabels(LabelSum):
    """n different labels drawn one after another from q, weighted by q normalized among the n.

    It is S2 of Xu et al. 2017 (arXiv 1603.02514), kept for comparison. It is biased unless n is the number of labels:
    likely labels are drawn nearly always, and then weigh less than q says. For losses (3, 5, 4, 9) and logits
    (.2, -.4, 1, -1), with n = 2, its expected gradient is (-.185, .056, -.008, .136) where (-.309, .100, -.141, .350)
    is right, and its value 4.03 where 4.26 is right.

    Args:
        config: the settings.

    >>> found = RenormalizedLabels(RenormalizedConfig())(torch.tensor([[0.2, 0.3, 0.5]]).log())
    >>> found.label_LB.shape, round(found.log_weight_LB.exp().sum().item(), 4)
    (torch.Size([2, 1]), 1.0)
    """

    def __init__(self, config: RenormalizedConfig) -> None:
        super().__init__()
        self.labels = config.labels

    def forward(self, log_q_BC: Float[Tensor, "B C"]) -> WeightedLabels:
        if log_q_BC.shape[1] <= self.labels:
            return EnumerateLabels()(log_q_BC)
        with torch.no_grad():
            # The largest sums with Gumbel noise are draws without replacement (Kool et al. 2019, arXiv 1903.06059).
            gumbel_BC = -torch.empty_like(log_q_BC).exponential_().log()
            drawn_BL = (log_q_BC + gumbel_BC).topk(self.labels, -1).indices
        return WeightedLabels(drawn_BL.T, log_q_BC.gather(1, drawn_BL).log_softmax(-1).T)
