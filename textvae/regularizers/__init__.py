"""Penalties that need the model, not only its terms. To add one for recipes: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.regularizers.bag_of_words import BagOfWordsConfig, BagOfWordsLoss
from textvae.regularizers.base import Regularizer, RegularizerSettings
from textvae.regularizers.classification import ClassificationLoss
from textvae.regularizers.consistency import ConsistencyConfig, ConsistencyLoss
from textvae.regularizers.label_balance import LabelBalance, LabelBalanceConfig
from textvae.regularizers.label_entropy import LabelEntropy, LabelEntropyConfig
from textvae.regularizers.pseudo_labels import PseudoLabels, PseudoLabelsConfig

if TYPE_CHECKING:
    RegularizerConfig: TypeAlias = RegularizerSettings
else:
    RegularizerConfig = one_of(RegularizerSettings, globals())

__all__ = [
    "BagOfWordsConfig",
    "BagOfWordsLoss",
    "ClassificationLoss",
    "ConsistencyConfig",
    "ConsistencyLoss",
    "LabelBalance",
    "LabelBalanceConfig",
    "LabelEntropy",
    "LabelEntropyConfig",
    "PseudoLabels",
    "PseudoLabelsConfig",
    "Regularizer",
    "RegularizerConfig",
    "RegularizerSettings",
]
