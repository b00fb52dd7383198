"""One label that is drawn, with the score of q and a moving average as baseline."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.distributions import Categorical

from textvae.label_sums.base import LabelSum, LabelSumSettings, WeightedLabels


class ScoreFunctionConfig(LabelSumSettings):
    """Settings of the sum by one drawn label."""

    kind: Literal["score_function"] = "score_function"
    variants: ClassVar = {"": {}, "no-baseline": {"start": 0.0, "decay": 1.0}}
    decay: float = Field(0.99, ge=0, le=1, description="of the moving average of the loss of a token")
    start: float = Field(5.5, ge=0, description="nats per token at which that average starts")

    def decoded(self, labels: int) -> int:
        return 1

    def build(self) -> ScoreFunctionLabels:
        return ScoreFunctionLabels(self)


class ScoreFunctionLabels(LabelSum):
    """One label y ~ q(y|x), whose gradient in q is (L(x, y) - b) grad log q(y|x) (REINFORCE; Williams 1992).

    b is a moving average of the loss of a token, times the tokens of the sentence (S1 of Xu et al. 2017, arXiv
    1603.02514). Unbiased, one decoder call, and noisy.

    Args:
        config: the settings.

    >>> found = ScoreFunctionLabels(ScoreFunctionConfig())(torch.tensor([[0.0, -1e9]] * 3))
    >>> found.label_LB.tolist(), found.log_weight_LB.tolist()
    ([[0, 0, 0]], [[0.0, 0.0, 0.0]])
    """

    per_token: Tensor

    def __init__(self, config: ScoreFunctionConfig) -> None:
        super().__init__()
        self.decay = config.decay
        self.register_buffer("per_token", torch.tensor(config.start))

    def forward(self, log_q_BC: Float[Tensor, "B C"]) -> WeightedLabels:
        drawn_B1 = Categorical(logits=log_q_BC.detach()).sample().unsqueeze(1)
        log_q_B1 = log_q_BC.gather(1, drawn_B1)
        return WeightedLabels(drawn_B1.T, (log_q_B1 - log_q_B1.detach()).T)

    @torch.no_grad()
    def baseline(
        self, chosen: WeightedLabels, loss_LB: Float[Tensor, "L B"], tokens_B: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        # The average as it was before this batch, so that it does not depend on what is drawn here.
        before = self.per_token.clone()
        if self.training:
            of_batch = loss_LB.sum() / (tokens_B.sum() * len(loss_LB))
            self.per_token.lerp_(of_batch.to(before.dtype), 1.0 - self.decay)
        return before * tokens_B
