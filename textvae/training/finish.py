"""The end of a training: the model that is kept, the result, and what is said of both."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textvae.disk import no_number
from textvae.models import TextModel
from textvae.training.checkpoint import Checkpoints, load_weights
from textvae.training.folder import MODEL_FOLDER
from textvae.training.plan import TrainingPlan
from textvae.training.processes import Processes
from textvae.training.result import TrainResult, peak_gpu_memory_mb, peak_memory_mb, write_result
from textvae.training.selection import Selection
from textvae.training.state import Progress
from textvae.training.validation import Validation


def result_of(
    progress: Progress,
    selection: Selection,
    validation: Validation,
    *,
    plan: TrainingPlan,
    processes: Processes,
    lr: float,
) -> TrainResult:
    """What a training that is over reports. What is wrong with it is warned of in the main process.

    Args:
        progress: its numbers, the seconds up to date.
        selection: which epoch was best.
        validation: names the bound and what epochs competed by; holds the model.
        plan: says how many steps an epoch has.
        processes: of the training.
        lr: the learning rate of the settings, for a warning.
    """
    competed, first_final_step = selection.epoch > 0, validation.objective.first_final_step
    if not competed and processes.is_main:
        warnings.warn(
            f"the KL weight is final only from step {first_final_step}, training ended at step {progress.step}; no "
            "epoch could compete, so the last model is kept; train longer or shorten it.",
            stacklevel=2,
        )
    bounds = {
        validation.bound_name: selection.bound if competed else progress.last_bound,
        validation.criterion_name: selection.criterion if competed else progress.last_criterion,
    }
    finite = {name: value for name, value in bounds.items() if not no_number(value)}
    if len(finite) < len(bounds) and processes.is_main:
        warnings.warn(
            "the validation sentences have no finite bound under the model that is kept: training diverged; "
            f"lower train.optimizer.lr ({lr:g}), or set train.warmup.",
            stacklevel=2,
        )
    return TrainResult(
        steps=progress.step,
        epochs=round(progress.step / plan.steps_per_epoch, 6),
        seconds=progress.seconds,
        train_seconds=progress.train_seconds,
        train_cpu_seconds=progress.train_cpu_seconds,
        train_tokens=progress.train_tokens,
        tokens_per_second=progress.train_tokens / max(progress.train_seconds, 1e-9),
        peak_memory_mb=max(progress.peak_memory, peak_memory_mb()),
        parameters=sum(p.numel() for p in validation.model.parameters() if p.requires_grad),
        best_epoch=selection.epoch if competed else progress.epoch,
        valid_metric=selection.metric if competed else progress.last_metric,
        stopped_early=progress.stopped_early,
        peak_gpu_memory_mb=peak_gpu_memory_mb(processes.device),
        **finite,
    )


def keep_best(
    model: TextModel,
    result: TrainResult,
    checkpoints: Checkpoints,
    out: Path,
    *,
    identity: Mapping[str, Any],
    card: Mapping[str, Any],
) -> None:
    """Write the best model and the result into the training's folder, and remove the checkpoints.

    In this order: whatever a crash leaves of it, the next call of `train` finishes.

    Args:
        model: gets the weights of the best epoch.
        result: of the training.
        checkpoints: hold those weights.
        out: the folder.
        identity: what makes this training this one.
        card: what the model card should tell beside the bounds reached.
    """
    if checkpoints.best is not None:
        load_weights(model, checkpoints.best)
    model.eval()
    reached = {"steps": result.steps, "epoch": result.best_epoch, **result.bounds}
    model.save_pretrained(out / MODEL_FOLDER, {**card, **reached})
    write_result(out, result, dict(identity))
    checkpoints.remove()
