"""LatentTerms and a step to a loss; no objective ever sees a model. Schedules live here."""

from typing import Annotated

from pydantic import Field

from textvae.objectives.elbo import ELBO, ELBOConfig, kl_by_sentence, local_mean
from textvae.objectives.free_bits import (
    BatchMeanFreeBitsConfig,
    FreeBitsConfig,
    PerSentenceFreeBitsConfig,
    RateFreeBitsConfig,
    TargetFreeBitsConfig,
)
from textvae.objectives.schedules import (
    ConstantScheduleConfig,
    CyclicalScheduleConfig,
    LinearScheduleConfig,
    Schedule,
    ScheduleConfig,
    SigmoidScheduleConfig,
)

ObjectiveConfig = Annotated[ELBOConfig, Field()]

__all__ = [
    "ELBO",
    "BatchMeanFreeBitsConfig",
    "ConstantScheduleConfig",
    "CyclicalScheduleConfig",
    "ELBOConfig",
    "FreeBitsConfig",
    "LinearScheduleConfig",
    "ObjectiveConfig",
    "PerSentenceFreeBitsConfig",
    "RateFreeBitsConfig",
    "Schedule",
    "ScheduleConfig",
    "SigmoidScheduleConfig",
    "TargetFreeBitsConfig",
    "kl_by_sentence",
    "local_mean",
]
