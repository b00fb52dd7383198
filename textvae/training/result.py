"""What a training reports when it is over."""

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
    """Numbers of a finished training; what was not measured is None. `to_dict` leaves it out, and what is no number.

    Attributes:
        steps: updates made.
        epochs: passes over the training sentences, a fraction where the last one was cut short.
        seconds: wall-clock time in all sittings together, validation and checkpoints included.
        train_seconds: time of the training steps alone.
        train_cpu_seconds: processor time of the main process in these steps, over all its threads: what they took of a
            CPU, whatever else it was doing.
        train_tokens: predicted tokens the steps have seen (EOS counted; BOS and padding not).
        tokens_per_second: train_tokens / train_seconds.
        peak_memory_mb: maximum resident set of a process, MiB.
        parameters: trainable numbers of the model, tied ones counted once.
        best_epoch: epoch (counted from 1) whose model was kept; the last one where none was allowed to compete.
        valid_elbo_nll: its weight-1 validation bound, nats per sentence (exact for a language model).
        valid_proxy_elbo_nll: in place of it where q(z|x) has no density: the bound by Gaussians with its moments.
        valid_nll: its reconstruction term on validation sentences, where epochs competed by that.
        valid_loss: its validation loss, objective and weight those of training, where epochs competed by that.
        valid_metric: its value of the metric that chose it, where one was given.
        stopped_early: whether patience ended the training.
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
        """The validation numbers by which epochs competed, and the bound beside them; nats per sentence, by name."""
        known = self.to_dict()
        return {name: known[name] for name in (BOUND, PROXY_BOUND, RECONSTRUCTION, LOSS) if name in known}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainResult:
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})


def write_result(out: Path, result: TrainResult, identity: dict[str, Any]) -> None:
    """Write it into the training's folder, on the disk at once and whole.

    Args:
        out: the folder.
        result: of a training that is over.
        identity: what makes that training this one (settings, seed, data).
    """
    write_json(out / RESULT_FILE, {"identity": identity, "result": result.to_dict()})


def read_result(out: Path, identity: dict[str, Any]) -> TrainResult | None:
    """The result of this same training; None where it is not over.

    Raises:
        ModelError: of another training, or damaged.
    """
    path = out / RESULT_FILE
    if not path.exists():
        return None
    try:
        content = read_json(path)
        # Compared after a round trip, because that is what the file holds.
        same, result = content["identity"] == json.loads(json.dumps(identity)), TrainResult.from_dict(content["result"])
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{path} is truncated or not textvae's; delete {out} to train afresh.") from None
    if not same:
        raise ModelError(
            f"{out} holds the model of a training with other settings or data; "
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
    """The most memory tensors have held on a CUDA device, MiB; None elsewhere."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
