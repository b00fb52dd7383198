"""Sums over the labels of a sentence without one. To add a way of summing: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.label_sums.base import LabelSum, LabelSumSettings, WeightedLabels
from textvae.label_sums.enumerate import EnumerateConfig, EnumerateLabels
from textvae.label_sums.renormalized import RenormalizedConfig, RenormalizedLabels
from textvae.label_sums.score_function import ScoreFunctionConfig, ScoreFunctionLabels
from textvae.label_sums.without_replacement import LabelsWithoutReplacement, WithoutReplacementConfig

if TYPE_CHECKING:
    LabelSumConfig: TypeAlias = LabelSumSettings
else:
    LabelSumConfig = one_of(LabelSumSettings, globals())

__all__ = [
    "EnumerateConfig",
    "EnumerateLabels",
    "LabelSum",
    "LabelSumConfig",
    "LabelSumSettings",
    "LabelsWithoutReplacement",
    "RenormalizedConfig",
    "RenormalizedLabels",
    "ScoreFunctionConfig",
    "ScoreFunctionLabels",
    "WeightedLabels",
    "WithoutReplacementConfig",
]
