"""The stages of a pipeline: the registry, in the order in which they run."""

from __future__ import annotations

from textvae.pipeline.stage import Stage
from textvae.pipeline.stages.classify import ClassifyStage
from textvae.pipeline.stages.evaluate import EvaluateStage
from textvae.pipeline.stages.impute import ImputeStage
from textvae.pipeline.stages.interpolate import InterpolateStage
from textvae.pipeline.stages.tokenize import TokenizeStage
from textvae.pipeline.stages.train import TrainStage

STAGES: tuple[Stage, ...] = (
    TokenizeStage(),
    TrainStage(),
    EvaluateStage(),
    ClassifyStage(),
    ImputeStage(),
    InterpolateStage(),
)

__all__ = ["STAGES"]
