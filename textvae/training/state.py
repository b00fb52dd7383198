"""The state of a training that survives a restart, beside the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, runtime_checkable

import torch

from textvae.training.metrics import Window
from textvae.training.processes import Processes


@runtime_checkable
class Stateful(Protocol):
    """A part whose state is saved in checkpoints: tensors, numbers, strings, and dicts and lists of them."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> object: ...


@dataclass
class Progress:
    """The counters of a training, all of which survive a restart.

    Attributes:
        step: updates made.
        epoch: epochs closed by a validation.
        position: batches of the present epoch that are done.
        over: whether training is finished.
        stopped_early: whether early stopping ended the training.
        last_bound: the weight-1 bound at the last validation, nats per sentence.
        last_criterion: the selection criterion at the last validation; lower is better.
        last_metric: the caller's validation metric at the last validation, where there is one.
        seconds: wall-clock time at the last `Clock.read`, with the time before a restart.
        train_seconds: wall-clock time of the steps alone.
        train_cpu_seconds: processor time of the steps alone.
        train_tokens: predicted tokens that the steps have seen.
        peak_memory: maximum resident set of a process at the last checkpoint, MiB.
        metrics_bytes: size of `metrics.jsonl` at the last checkpoint.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    over: bool = False
    stopped_early: bool = False
    last_bound: float = math.inf
    last_criterion: float = math.inf
    last_metric: float | None = None
    seconds: float = 0.0
    train_seconds: float = 0.0
    train_cpu_seconds: float = 0.0
    train_tokens: int = 0
    peak_memory: float = 0.0
    metrics_bytes: int = 0


class TrainState:
    """Saves and restores the counters, the parts that have a state, and the state of each process.

    In a checkpoint counters and parts are saved under their names. `by_process` is a list with the state of each
    process: its random states, and its sums since the last log line.

    Args:
        progress: the counters.
        parts: the other parts that have a state, by the name under which it is saved.
        window: this process's sums since the last log line.
        processes: of this training.
        seed: of the training.
    """

    def __init__(
        self, progress: Progress, parts: Mapping[str, Stateful], window: Window, processes: Processes, seed: int
    ) -> None:
        self.progress, self.parts, self.window = progress, parts, window
        self.processes, self.seed = processes, seed

    def gather(self) -> list[dict[str, Any]]:
        """The state of each process. A collective call: all processes must make it."""
        device = self.processes.device
        return self.processes.gather(
            {
                "random": torch.get_rng_state(),
                "cuda_random": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
                "window": self.window.state_dict(),
            }
        )

    def state_dict(self, by_process: list[dict[str, Any]]) -> dict[str, Any]:
        """The content of a checkpoint.

        Args:
            by_process: from `gather`.
        """
        parts = {name: part.state_dict() for name, part in self.parts.items()}
        return {**asdict(self.progress), **parts, "by_process": by_process}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore everything, random states last. With another number of processes these are seeded again."""
        for field in fields(self.progress):
            setattr(self.progress, field.name, state[field.name])
        for name, part in self.parts.items():
            part.load_state_dict(state[name])

        processes = self.processes
        if len(state["by_process"]) != processes.count:
            torch.manual_seed(self.seed + 7919 * processes.index + self.progress.step)
            return
        local = state["by_process"][processes.index]
        self.window.load_state_dict(local["window"], processes.device)
        torch.set_rng_state(local["random"])
        if processes.device.type == "cuda" and local["cuda_random"] is not None:
            torch.cuda.set_rng_state(local["cuda_random"], processes.device)
