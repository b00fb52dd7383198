"""The folder of a training, and the files that textvae writes in it."""

from __future__ import annotations

from pathlib import Path

from textvae.disk import MARKER, claim, read_json
from textvae.errors import ModelError
from textvae.models.folder import FILES as MODEL_FILES
from textvae.training import checkpoint
from textvae.training.metrics import METRICS_FILE
from textvae.training.result import RESULT_FILE

MODEL_FOLDER, CHECKPOINT_FOLDER = "model", "checkpoints"
FILES = (
    MARKER,
    METRICS_FILE,
    RESULT_FILE,
    *(f"{MODEL_FOLDER}/{name}" for name in MODEL_FILES),
    *(f"{CHECKPOINT_FOLDER}/{name}" for name in checkpoint.FILES),
    "tensorboard/**",
)
"""Patterns of these files, for `textvae.disk.matches`."""


def claim_training(out: Path) -> None:
    """Make a training's folder, or reuse one that textvae made; other files in it are not changed.

    Raises:
        ModelError: a file that textvae did not write has the name of one that training writes.
    """
    claim(out, "training", FILES, also=("stage *",), legacy=_is_training, error=ModelError)


def _is_training(out: Path) -> bool:
    """Whether a folder without a marker is that of a training by a version without markers."""
    if checkpoint.has_checkpoints(out / CHECKPOINT_FOLDER):
        return True
    try:
        content = read_json(out / RESULT_FILE)
        return "identity" in content and "steps" in content["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
