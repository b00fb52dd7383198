"""LatentTerms and a step to a loss; no objective ever sees a model. Schedules live here."""

from typing import Annotated

from pydantic import Field

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

ObjectiveConfig = Annotated[
    ELBOConfig
    | InfoVAEConfig
    | IWAEConfig
    | RenyiConfig
    | SteinConfig
    | UnregularizedConfig,
    Field(discriminator="kind"),
]  # fmt: skip

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
