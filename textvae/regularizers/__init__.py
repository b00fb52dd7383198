"""Penalties that need the model, not only its terms. To add one for recipes: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.regularizers.bag_of_words import BagOfWordsConfig, BagOfWordsLoss
from textvae.regularizers.base import Regularizer, RegularizerSettings
from textvae.regularizers.classification import ClassificationLoss
from textvae.regularizers.consistency import ConsistencyConfig, ConsistencyLoss

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
    "Regularizer",
    "RegularizerConfig",
    "RegularizerSettings",
]
