"""The exact sum over all labels."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from textvae.label_sums.base import LabelSum, LabelSumSettings, WeightedLabels


class EnumerateConfig(LabelSumSettings):
    """Settings of the exact sum, which has none."""

    kind: Literal["enumerate"] = "enumerate"

    def decoded(self, labels: int) -> int:
        return labels

    def build(self) -> EnumerateLabels:
        return EnumerateLabels()


class EnumerateLabels(LabelSum):
    """Every label, weighted by q(y|x): no noise, and C decoder calls (Kingma et al. 2014, arXiv 1406.5298, eq. 7).

    >>> log_q_BC = torch.tensor([[0.25, 0.75]]).log()
    >>> found = EnumerateLabels()(log_q_BC)
    >>> found.label_LB.tolist(), found.log_weight_LB.exp().tolist()
    ([[0], [1]], [[0.25], [0.75]])
    """

    def forward(self, log_q_BC: Float[Tensor, "B C"]) -> WeightedLabels:
        sentences, labels = log_q_BC.shape
        all_C1 = torch.arange(labels, device=log_q_BC.device).unsqueeze(1)
        return WeightedLabels(all_C1.expand(labels, sentences), log_q_BC.T)
