"""The stages of a pipeline: one file each, with the name of the stage's table in a recipe."""

from __future__ import annotations

from importlib import import_module

from textvae.pipeline.stage import Stage

NAMES = (
    "tokenize",
    "train",
    "evaluate",
    "baseline",
    "classify",
    "impute",
    "interpolate",
)
"""Every stage, in the order in which they run. A new one is a file of this package and a line in this list."""

STAGES: tuple[Stage, ...] = tuple(import_module(f"textvae.pipeline.stages.{name}").STAGE for name in NAMES)
"""Every stage, in the same order."""

__all__ = ["NAMES", "STAGES"]
