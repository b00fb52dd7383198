"""Pseudo-labels: the classifier learns its own surest answers from changed copies of the sentences."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import nll_loss

from textvae.augmentations import Augmentation, AugmentationConfig, Augmentations, DeletionConfig
from textvae.config import Component
from textvae.generation import inference
from textvae.models import TextModel
from textvae.objectives.schedules import ConstantScheduleConfig, LinearScheduleConfig, Schedule, ScheduleConfig
from textvae.regularizers.base import RegularizerSettings
from textvae.types import Batch, LatentTerms


class SelectionSettings(Component):
    """The settings of a rule that selects the sentences with a pseudo-label."""

    @abstractmethod
    def build(self, *, steps_per_epoch: int, total_steps: int) -> Selection:
        """Build the rule; the lengths resolve the times of its schedule."""


class Selection:
    """log q(y|x), step -> which sentences and labels are taken."""

    @abstractmethod
    def __call__(self, log_prob_BC: Float[Tensor, "B C"], step: int) -> Bool[Tensor, "B C"]:
        """True where a sentence is taken with this label; at most once in a row."""


class ThresholdConfig(SelectionSettings):
    """Sentences whose likeliest label has at least a certain probability (Sohn et al. 2020, arXiv 2001.07685, eq. 4).

    >>> rule = ThresholdConfig(confidence=0.9).build(steps_per_epoch=1, total_steps=1)
    >>> rule(torch.tensor([[0.95, 0.05], [0.3, 0.7]]).log(), 0).tolist()
    [[True, False], [False, False]]
    """

    kind: Literal["threshold"] = "threshold"
    confidence: float = Field(0.9, gt=0, lt=1, description="least probability of the likeliest label")

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Threshold:
        return Threshold(self.confidence)


class Threshold(Selection):
    def __init__(self, confidence: float) -> None:
        self.confidence = confidence

    def __call__(self, log_prob_BC: Float[Tensor, "B C"], step: int) -> Bool[Tensor, "B C"]:
        most_B1 = log_prob_BC.max(-1, keepdim=True).values
        return _likeliest(log_prob_BC) & (most_B1.exp() >= self.confidence)


class GrowingConfig(SelectionSettings):
    """Equally many sentences of each class, the surest ones, and ever more of them.

    Self-training in growing balanced rounds (Zou et al. 2018, arXiv 1810.07911), with a batch in the place of the
    corpus. A sentence is taken for its likeliest label only, so that there may be fewer.

    >>> rule = GrowingConfig(share=ConstantScheduleConfig(weight=0.5)).build(steps_per_epoch=1, total_steps=1)
    >>> rule(torch.tensor([[0.95, 0.05], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]).log(), 0).int().tolist()
    [[1, 0], [0, 0], [0, 1], [0, 0]]
    """

    kind: Literal["growing"] = "growing"
    share: ScheduleConfig = Field(
        default_factory=lambda: LinearScheduleConfig(initial=0.1, final=0.8, end=0.8),
        description="share of a batch's sentences that is taken, at most",
    )

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Growing:
        return Growing(self.share.build(steps_per_epoch=steps_per_epoch, total_steps=total_steps))


class Growing(Selection):
    def __init__(self, share: Schedule) -> None:
        self.share = share

    def __call__(self, log_prob_BC: Float[Tensor, "B C"], step: int) -> Bool[Tensor, "B C"]:
        sentences, labels = log_prob_BC.shape
        each = min(sentences, max(1, round(self.share(step) * sentences / labels)))
        first_BC = _likeliest(log_prob_BC)
        of_label_BC = log_prob_BC.masked_fill(~first_BC, -torch.inf)
        surest_KC = of_label_BC.topk(each, dim=0).indices
        taken_BC = torch.zeros_like(first_BC).scatter(0, surest_KC, True)
        return taken_BC & first_BC


def _likeliest(log_prob_BC: Tensor) -> Tensor:
    """True at the likeliest label of each sentence, the first one of equals."""
    return torch.zeros_like(log_prob_BC, dtype=torch.bool).scatter(1, log_prob_BC.argmax(-1, keepdim=True), True)


SelectionConfig = Annotated[ThresholdConfig | GrowingConfig, Field(discriminator="kind")]


class PseudoLabelsConfig(RegularizerSettings):
    """Settings of pseudo-labels."""

    kind: Literal["pseudo_labels"] = "pseudo_labels"
    needs_classifier: ClassVar[bool] = True
    reads_terms: ClassVar[bool] = False
    variants: ClassVar = {
        "": {"selection": {"kind": "growing", "share": {"kind": "constant", "weight": 0.9}}},
        "threshold": {"selection": {"kind": "threshold", "confidence": 0.01}, "augmentations": [{"kind": "masking"}]},
        "whole": {"augmentations": []},
    }
    selection: SelectionConfig = Field(
        default_factory=GrowingConfig, description="which sentences without a label get one"
    )
    augmentations: tuple[AugmentationConfig, ...] = Field(
        (DeletionConfig(),), description="changes of a sentence before it is learned, one after another"
    )
    weight: ScheduleConfig = Field(default_factory=lambda: ConstantScheduleConfig(weight=10.0))

    def build(self, *, vocab_size: int, latent_dim: int, steps_per_epoch: int, total_steps: int) -> PseudoLabels:
        times = {"steps_per_epoch": steps_per_epoch, "total_steps": total_steps}
        return PseudoLabels(self, self.selection.build(**times), self.weight.build(**times))


class PseudoLabels(nn.Module):
    """weight(step) * mean of -log q(y^|x~) over the sentences without a label that are selected.

    y^ is the likeliest label of the whole sentence x, by the classifier as it is, without dropout and without a
    gradient; x~ is a changed copy (Lee 2013; Sohn et al. 2020, arXiv 2001.07685). Sentences with a label are left to
    the labels. The mean is repeated for every sentence of the batch; it is 0 where none is selected.

    Args:
        config: the settings.
        selection: the rule that selects.
        weight: at each step.
        augmentation: used in place of those of the settings, such as a function of your own.

    >>> from textvae.models import SemiSupervisedConfig
    >>> model = SemiSupervisedConfig(latent_dim=3).build(vocab_size=12, max_tokens=5, label_names=("a", "b"))
    >>> batch = Batch(torch.tensor([[1, 5, 6, 2]] * 2), torch.tensor([4, 4]))
    >>> regularizer = PseudoLabelsConfig(augmentations=()).build(
    ...     vocab_size=12, latent_dim=3, steps_per_epoch=1, total_steps=1
    ... )
    >>> regularizer(model, batch, model.terms(batch), 0)["pseudo_labels"].shape
    torch.Size([2])
    """

    def __init__(
        self,
        config: PseudoLabelsConfig,
        selection: Selection,
        weight: Schedule,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self.config, self.selection, self.weight, self._augmentation = config, selection, weight, augmentation

    def forward(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The penalty of each sentence, nats, [B], under the name `pseudo_labels`."""
        if self._augmentation is None:
            self._augmentation = Augmentations([one.build(model.tokenizer) for one in self.config.augmentations])
        with inference(model):
            log_prob_BC = model.label_log_prob(batch)
        taken_BC = self.selection(log_prob_BC, step)
        if batch.label_B is not None:
            taken_BC = taken_BC & (batch.label_B < 0).unsqueeze(-1)
        rows_M, label_M = taken_BC.nonzero(as_tuple=True)
        if len(rows_M):
            changed = self._augmentation(batch.rows(rows_M))
            loss = nll_loss(model.label_log_prob(changed), label_M)
        else:
            # Zero, with a gradient of zeros.
            loss = model.label_log_prob(batch).sum() * 0.0
        return {"pseudo_labels": (self.weight(step) * loss).expand(len(log_prob_BC))}
