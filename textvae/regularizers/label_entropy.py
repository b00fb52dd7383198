"""Entropy minimization: the classifier is sure of each sentence."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from textvae.models import TextModel
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.regularizers.base import RegularizerSettings
from textvae.types import Batch, LatentTerms


class LabelEntropyConfig(RegularizerSettings):
    """Settings of entropy minimization."""

    kind: Literal["label_entropy"] = "label_entropy"
    needs_classifier: ClassVar[bool] = True
    reads_terms: ClassVar[bool] = False
    weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig)

    def build(self, *, vocab_size: int, latent_dim: int, steps_per_epoch: int, total_steps: int) -> LabelEntropy:
        return LabelEntropy(self.weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps))


class LabelEntropy(nn.Module):
    """weight(step) * H(q(y|x)) of each sentence (Grandvalet & Bengio 2004).

    The bound of a sentence without a label has -H(q(y|x)) in it, which keeps the classifier unsure; this is against it.

    Args:
        weight: at each step.
    """

    def __init__(self, weight: Schedule) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The penalty of each sentence, nats, [B], under the name `label_entropy`."""
        log_prob_BC = model.label_log_prob(batch)
        return {"label_entropy": -self.weight(step) * (log_prob_BC.exp() * log_prob_BC).sum(-1)}
