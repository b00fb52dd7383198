"""The likeliest labels exactly, and one of the others that stands for all of them."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.distributions import Categorical

from textvae.config import MAX_PARTS
from textvae.label_sums.base import LabelSum, LabelSumSettings, WeightedLabels
from textvae.label_sums.enumerate import EnumerateLabels


class WithoutReplacementConfig(LabelSumSettings):
    """Settings of the sum over few different labels."""

    kind: Literal["without_replacement"] = "without_replacement"
    variants: ClassVar = {"": {}, "two": {"labels": 2}}
    labels: int = Field(8, ge=2, le=MAX_PARTS, description="labels of each sentence, all of them different")

    def decoded(self, labels: int) -> int:
        return min(self.labels, labels)

    def build(self) -> LabelsWithoutReplacement:
        return LabelsWithoutReplacement(self)


class LabelsWithoutReplacement(LabelSum):
    """The n - 1 likeliest labels are summed exactly, and one label is drawn from the others in proportion to q.

    The drawn label has the weight of all the others, so value and gradient are unbiased (sum and sample; Liu et al.
    2019, arXiv 1810.04777). The noise is that of the rest alone: a classifier that is nearly sure leaves nearly none.
    The baseline is the mean loss of the likeliest labels, which are not drawn. With n labels or fewer nothing is drawn.

    Args:
        config: the settings.

    >>> _ = torch.manual_seed(0)
    >>> log_q_BC = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    >>> found = LabelsWithoutReplacement(WithoutReplacementConfig(labels=3))(log_q_BC)
    >>> found.label_LB[:2, 0].tolist(), [round(w, 2) for w in found.log_weight_LB.exp()[:, 0].tolist()]
    ([0, 1], [0.5, 0.3, 0.2])
    """

    def __init__(self, config: WithoutReplacementConfig) -> None:
        super().__init__()
        self.labels = config.labels

    def forward(self, log_q_BC: Float[Tensor, "B C"]) -> WeightedLabels:
        if log_q_BC.shape[1] <= self.labels:
            return EnumerateLabels()(log_q_BC)
        log_top_BL, top_BL = log_q_BC.topk(self.labels - 1, -1)
        with torch.no_grad():
            log_others_BC = log_q_BC.scatter(1, top_BL, -torch.inf).log_softmax(1)
            drawn_B1 = Categorical(logits=log_others_BC).sample().unsqueeze(1)
            log_share_B1 = log_others_BC.gather(1, drawn_B1)
        log_drawn_B1 = log_q_BC.gather(1, drawn_B1) - log_share_B1
        return WeightedLabels(torch.cat([top_BL, drawn_B1], 1).T, torch.cat([log_top_BL, log_drawn_B1], 1).T)

    @torch.no_grad()
    def baseline(
        self, chosen: WeightedLabels, loss_LB: Float[Tensor, "L B"], tokens_B: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        weight_LB = chosen.log_weight_LB[:-1].softmax(0)
        return (weight_LB * loss_LB[:-1]).sum(0)
