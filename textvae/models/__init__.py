"""Models: composed of an encoder, a posterior, a prior and a decoder; can be saved and loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.models import loading
from textvae.models.base import ModelSettings, TextModel
from textvae.models.language_model import LanguageModel, LanguageModelConfig
from textvae.models.log_joint import LogJoint
from textvae.models.semi_supervised import SemiSupervisedConfig, SemiSupervisedTextVAE
from textvae.models.settings import CodeModelSettings
from textvae.models.text_vae import TextVAE, TextVAEConfig

if TYPE_CHECKING:
    ModelConfig: TypeAlias = ModelSettings
else:
    ModelConfig = one_of(ModelSettings, globals())


def load_model(folder_or_name: str | Path) -> TextModel:
    """Load a trained model of any kind from a folder or from the Hugging Face hub.

    Raises:
        ModelError: there is no model, or it is damaged or not written by textvae.
    """
    return loading.load(ModelConfig, folder_or_name)


__all__ = [
    "CodeModelSettings",
    "LanguageModel",
    "LanguageModelConfig",
    "LogJoint",
    "ModelConfig",
    "ModelSettings",
    "SemiSupervisedConfig",
    "SemiSupervisedTextVAE",
    "TextModel",
    "TextVAE",
    "TextVAEConfig",
    "load_model",
]
