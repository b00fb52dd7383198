"""Changes of a sentence that keep its meaning. To add one: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.augmentations.base import Augmentation, Augmentations, AugmentationSettings
from textvae.augmentations.deletion import Deletion, DeletionConfig
from textvae.augmentations.local_swap import LocalSwap, LocalSwapConfig
from textvae.augmentations.masking import Masking, MaskingConfig
from textvae.augmentations.synonyms import Synonyms, SynonymsConfig
from textvae.config import one_of

if TYPE_CHECKING:
    AugmentationConfig: TypeAlias = AugmentationSettings
else:
    AugmentationConfig = one_of(AugmentationSettings, globals())

__all__ = [
    "Augmentation",
    "AugmentationConfig",
    "AugmentationSettings",
    "Augmentations",
    "Deletion",
    "DeletionConfig",
    "LocalSwap",
    "LocalSwapConfig",
    "Masking",
    "MaskingConfig",
    "Synonyms",
    "SynonymsConfig",
]
