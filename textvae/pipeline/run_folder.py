"""Reads a run folder: its model, on this machine's device; the files of its splits; its recipe's tables.

Stages and commands use it. Torch is imported only by the functions that return a model or a device.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.disk import find_model, read_json, run_of_model
from textvae.errors import ConfigError, ModelError
from textvae.pipeline.manifest import damage, read_manifest

if TYPE_CHECKING:
    import torch

    from textvae.models import TextModel

RECIPE_FILE, REPORT_FILE, PAGE_FILE = "recipe.json", "report.json", "report.html"
"""Files of a run folder, beside a folder for each stage: the recipe with the settings of the last run, the numbers, and
the page."""


def model_of(run: str | Path, stage: str = "train") -> TextModel:
    """The model of a run, on the device of this machine.

    Args:
        run: a finished run, a model folder, or a name on the Hugging Face hub.
        stage: the stage whose model is read, for a run.

    Raises:
        ModelError: there is no such model.
    """
    return open_model(find_model(run, stage))


def classifier_of(run: str | Path) -> TextModel:
    """The classifier of a run, on the device of this machine.

    Args:
        run: a finished run, the model folder of a classifier, or the name of one on the Hugging Face hub.

    Raises:
        ModelError: there is no such model, or the run has no classifier.
    """
    from textvae.models import load_classifier

    return load_classifier(run).to(best_device())


def text_column_of(run: str | Path) -> str | None:
    """The column of a run's corpus that has its texts; None for a corpus without columns, or a model without a run."""
    home = run_of_model(find_model(run))
    tokenized = None if home is None else read_manifest(home / "tokenize")
    corpus = None if tokenized is None else tokenized.about.get("corpus")
    column = corpus.get("text_column") if isinstance(corpus, dict) else None
    return None if column is None else str(column)


def open_model(folder: Path) -> TextModel:
    """The model in a model folder, on the device of this machine."""
    from textvae.models import load_model

    return load_model(folder).to(best_device())


def best_device() -> torch.device:
    """The CUDA device that training would use, else the CPU."""
    import torch

    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes") or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def split_file(tokenized: Path, split: str) -> Path:
    """The file of a split. For "test" it is the validation split where the corpus has no test split.

    Raises:
        ConfigError: the corpus has no such split.
    """
    path = tokenized / f"{split}.arrow"
    if not path.exists() and split == "test":
        path = tokenized / "valid.arrow"
    if not path.exists():
        there = ", ".join(sorted(found.stem for found in tokenized.glob("*.arrow"))) or "none"
        raise ConfigError(f"there is no split '{split}'; the corpus has {there}; name one of these.")
    return path


def progress_lines(say: Callable[[str], None], every: float = 10.0) -> Callable[[str, int, int], None]:
    """A progress callback for evaluations that prints a line every few seconds."""
    last = time.monotonic()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > every:
            last = time.monotonic()
            say(f"  {what}: {done:,} of {total:,} sentences")

    return tell


def table_of(run: str | Path, stage: str) -> dict[str, Any]:
    """A stage's table in the recipe of a run; empty where there is none."""
    home = run_of_model(find_model(run))
    if home is None:
        return {}
    try:
        return dict(read_json(home / RECIPE_FILE).get(stage, {}))
    except (OSError, ValueError):
        return {}


def require_undamaged(tokenized: Path) -> None:
    """Refuse tokenized sentences whose files were changed: Arrow trusts the sizes in a file, and a wrong one can crash.

    Raises:
        ModelError: a file was changed; the message names it.
    """
    manifest = read_manifest(tokenized)
    harm = "its manifest cannot be read" if manifest is None else damage(tokenized, manifest)
    if harm is not None:
        raise ModelError(f"{tokenized} is damaged: {harm}; run the recipe again with `textvae run`.")


def decoder_knows_prior(train: Mapping[str, Any]) -> bool:
    """Whether training drew codes towards the prior, so that the decoder can decode draws of the prior.

    Args:
        train: the recipe's `[train]` table. True where its objective cannot be read.
    """
    from textvae.config import parse
    from textvae.objectives import ObjectiveConfig, ObjectiveSettings

    try:
        objective: ObjectiveSettings = parse(ObjectiveConfig, train.get("objective", {"kind": "elbo"}), "the run")
    except ConfigError:
        return True
    return objective.trains_prior
