"""Models: composed of an encoder, a posterior, a prior and a decoder; can be saved and loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from textvae.config import kinds_of, one_of
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


def load_model(folder_or_name: str | Path, *, revision: str | None = None) -> TextModel:
    """Load a trained model of any kind.

    Args:
        folder_or_name: a finished run (`runs/NAME`), a model folder, or a name on the Hugging Face hub.
        revision: a branch, a tag or a commit on the hub.

    Raises:
        ModelError: there is no model, or it is damaged or not written by textvae.
        MachineError: the hub cannot be reached.
    """
    return loading.load(ModelConfig, folder_or_name, revision=revision)


def load_classifier(folder_or_name: str | Path, *, revision: str | None = None) -> TextModel:
    """Load a trained model that predicts labels.

    Args:
        folder_or_name: a finished run (`runs/NAME`), whose stage `classify` has the model; a model folder; or a name
            on the Hugging Face hub.
        revision: a branch, a tag or a commit on the hub.

    Raises:
        ModelError: there is no such model, or it is damaged or not written by textvae.
        MachineError: the hub cannot be reached.
    """
    settings = kinds_of(ModelConfig, ModelSettings)  # type: ignore[type-abstract]
    kinds = {kind for kind, found in settings.items() if found.classifies}
    return loading.load(ModelConfig, folder_or_name, kinds=kinds, stage="classify", revision=revision)


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
    "load_classifier",
    "load_model",
]
