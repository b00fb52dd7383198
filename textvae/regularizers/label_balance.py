"""Balance: over a batch, the classifier gives each label about as often as p(y) says."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from textvae.models import TextModel
from textvae.objectives.schedules import ConstantScheduleConfig, Schedule, ScheduleConfig
from textvae.regularizers.base import RegularizerSettings
from textvae.types import Batch, LatentTerms


class LabelBalanceConfig(RegularizerSettings):
    """Settings of balance."""

    kind: Literal["label_balance"] = "label_balance"
    needs_classifier: ClassVar[bool] = True
    reads_terms: ClassVar[bool] = False
    weight: ScheduleConfig = Field(default_factory=ConstantScheduleConfig)

    def build(self, *, vocab_size: int, latent_dim: int, steps_per_epoch: int, total_steps: int) -> LabelBalance:
        return LabelBalance(self.weight.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps))


class LabelBalance(nn.Module):
    """weight(step) * KL(q(y) || p(y)), where q(y) is the mean of q(y|x) over the batch.

    Against the classifier that gives one label to all sentences. p(y) is the model's, made from the labels that are
    seen (`TextModel.set_label_prior`); equally many of each class make it uniform, so it is wrong for a corpus with
    rare classes.

    Args:
        weight: at each step.
    """

    def __init__(self, weight: Schedule) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The penalty of the batch, nats, repeated for each sentence, [B], under the name `label_balance`."""
        mean_C = model.label_log_prob(batch).exp().mean(0)
        kl = (mean_C * (mean_C.clamp_min(1e-12).log() - model.label_log_prior_C)).sum()
        return {"label_balance": (self.weight(step) * kl).expand(len(batch.lengths_B))}
