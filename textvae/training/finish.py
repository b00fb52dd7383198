"""The end of a training: its result with warnings, and the best model written to disk."""

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
    """The result of a finished training. The main process warns if no epoch could be selected, or of divergence.

    Args:
        progress: its counters, with the seconds up to date.
        selection: the best epoch.
        validation: has the names of the bound and of the selection criterion, and the model.
        plan: has the steps of an epoch.
        processes: of the training.
        lr: the learning rate of the settings, for a warning.
    """
    competed, first_final_step = selection.epoch > 0, validation.objective.first_final_step
    if not competed and processes.is_main:
        warnings.warn(
            f"the KL weight is final only from step {first_final_step}, and training ended at step {progress.step}; no "
            "epoch could be selected as the best, so the last model is kept; train longer, or let the weight rise "
            "earlier.",
            stacklevel=2,
        )
    bounds = {
        validation.bound_name: selection.bound if competed else progress.last_bound,
        validation.criterion_name: selection.criterion if competed else progress.last_criterion,
    }
    finite = {name: value for name, value in bounds.items() if not no_number(value)}
    if len(finite) < len(bounds) and processes.is_main:
        warnings.warn(
            "the validation bound of the model that is kept is not a finite number: training diverged; "
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

    The three are done in this order, so that the next call of `train` completes them after a crash.

    Args:
        model: gets the weights of the best epoch.
        result: of the training.
        checkpoints: contain those weights.
        out: the folder.
        identity: settings, seed and data of the training.
        card: entries of the model card beside the bounds reached.
    """
    if checkpoints.best is not None:
        load_weights(model, checkpoints.best)
    model.eval()
    reached = {"steps": result.steps, "epoch": result.best_epoch, **result.bounds}
    model.save_pretrained(out / MODEL_FOLDER, {**card, **reached})
    write_result(out, result, dict(identity))
    checkpoints.remove()
