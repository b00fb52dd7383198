"""Objectives: from `LatentTerms` and a step to a loss, without the model. To add one: one file, and its import here."""

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.objectives.base import Objective, ObjectiveSettings, local_mean
from textvae.objectives.elbo import ELBO, ELBOConfig, kl_by_level, kl_by_sentence
from textvae.objectives.free_bits import (
    BatchMeanFreeBitsConfig,
    FreeBitsConfig,
    PerSentenceFreeBitsConfig,
    RateFreeBitsConfig,
    TargetFreeBitsConfig,
)
from textvae.objectives.importance_weights import log_importance_weights
from textvae.objectives.info_vae import InfoVAE, InfoVAEConfig, mmd_squared
from textvae.objectives.iwae import IWAE, IWAEConfig
from textvae.objectives.renyi import Renyi, RenyiConfig
from textvae.objectives.schedules import (
    ConstantScheduleConfig,
    CyclicalScheduleConfig,
    LinearScheduleConfig,
    Schedule,
    ScheduleConfig,
    SigmoidScheduleConfig,
)
from textvae.objectives.stein import Stein, SteinConfig
from textvae.objectives.unregularized import Unregularized, UnregularizedConfig

if TYPE_CHECKING:
    ObjectiveConfig: TypeAlias = ObjectiveSettings
else:
    ObjectiveConfig = one_of(ObjectiveSettings, globals())

__all__ = [
    "ELBO",
    "IWAE",
    "BatchMeanFreeBitsConfig",
    "ConstantScheduleConfig",
    "CyclicalScheduleConfig",
    "ELBOConfig",
    "FreeBitsConfig",
    "IWAEConfig",
    "InfoVAE",
    "InfoVAEConfig",
    "LinearScheduleConfig",
    "Objective",
    "ObjectiveConfig",
    "ObjectiveSettings",
    "PerSentenceFreeBitsConfig",
    "RateFreeBitsConfig",
    "Renyi",
    "RenyiConfig",
    "Schedule",
    "ScheduleConfig",
    "SigmoidScheduleConfig",
    "Stein",
    "SteinConfig",
    "TargetFreeBitsConfig",
    "Unregularized",
    "UnregularizedConfig",
    "kl_by_level",
    "kl_by_sentence",
    "local_mean",
    "log_importance_weights",
    "mmd_squared",
]
