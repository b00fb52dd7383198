"""The result of a finished training, and its file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from textvae.disk import no_number, read_json, write_json
from textvae.errors import ModelError
from textvae.objectives.base import BOUND, LOSS, PROXY_BOUND, RECONSTRUCTION

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class TrainResult:
    """Numbers of a finished training; what was not measured is None. `to_dict` leaves out None, NaN and infinities.

    Attributes:
        steps: updates made.
        epochs: passes over the training sentences, a fraction where the last one was cut short.
        seconds: wall-clock time, with validation, checkpoints and the time before a restart.
        train_seconds: time of the training steps alone.
        train_cpu_seconds: processor time of the main process in these steps, over all its threads; unlike
            `train_seconds` it does not grow when the machine is busy with other programs.
        train_tokens: predicted tokens the steps have seen (EOS counted; BOS and padding not).
        tokens_per_second: train_tokens / train_seconds.
        peak_memory_mb: maximum resident set of a process, MiB.
        parameters: trainable parameters of the model, tied ones counted once.
        best_epoch: epoch (counted from 1) whose model was kept; the last one where none could be selected.
        valid_elbo_nll: its weight-1 validation bound, nats per sentence (exact for a language model).
        valid_proxy_elbo_nll: in place of that bound where q(z|x) has no density: the bound of Gaussians with its
            moments.
        valid_nll: its reconstruction term on validation sentences, where this is the selection criterion.
        valid_loss: its loss on validation sentences, with the objective and weight of training, where this is the
            selection criterion.
        valid_metric: its value of the caller's validation metric, where one was given.
        stopped_early: whether early stopping ended the training.
        peak_gpu_memory_mb: most memory that tensors held on the accelerator, MiB.
    """

    steps: int
    epochs: float
    seconds: float
    train_seconds: float
    train_cpu_seconds: float
    train_tokens: int
    tokens_per_second: float
    peak_memory_mb: float
    parameters: int
    best_epoch: int
    valid_elbo_nll: float | None = None
    valid_proxy_elbo_nll: float | None = None
    valid_nll: float | None = None
    valid_loss: float | None = None
    valid_metric: float | None = None
    stopped_early: bool = False
    peak_gpu_memory_mb: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None and not no_number(value)}

    @property
    def bounds(self) -> dict[str, float]:
        """The selection criterion of the best epoch and its validation bound; nats per sentence, by name."""
        known = self.to_dict()
        return {name: known[name] for name in (BOUND, PROXY_BOUND, RECONSTRUCTION, LOSS) if name in known}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainResult:
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})


def write_result(out: Path, result: TrainResult, identity: dict[str, Any]) -> None:
    """Write a result into the training's folder, atomically and forced to the disk.

    Args:
        out: the folder.
        result: of a finished training.
        identity: settings, seed and data of the training.
    """
    write_json(out / RESULT_FILE, {"identity": identity, "result": result.to_dict()})


def read_result(out: Path, identity: dict[str, Any]) -> TrainResult | None:
    """The result of the training with this identity; None where it is not finished.

    Raises:
        ModelError: the file is damaged, or is the result of another training.
    """
    path = out / RESULT_FILE
    if not path.exists():
        return None
    try:
        content = read_json(path)
        # JSON turns tuples into lists, so the identity is compared after a round trip.
        same, result = content["identity"] == json.loads(json.dumps(identity)), TrainResult.from_dict(content["result"])
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{path} is truncated or not textvae's; delete {out} to train afresh.") from None
    if not same:
        raise ModelError(
            f"{out} contains the model of a training with other settings or data; "
            "delete it to train afresh, or train into another folder."
        )
    return result


def peak_memory_mb() -> float:
    """The maximum resident set of this process so far, MiB."""
    if sys.platform == "win32":
        import psutil  # accelerate depends on it

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def peak_gpu_memory_mb(device: torch.device) -> float | None:
    """The peak memory of tensors on a CUDA device, MiB; None for other devices."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
