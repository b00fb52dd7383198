"""Decides when a checkpoint is due, and writes it."""

from __future__ import annotations

import time

from textvae.models import TextModel
from textvae.training.checkpoint import Checkpoints
from textvae.training.clock import Clock
from textvae.training.divergence import DivergenceWatch
from textvae.training.metrics import MetricsLog
from textvae.training.result import peak_memory_mb
from textvae.training.state import TrainState


class Saver:
    """Writes checkpoints. All processes must call it alike, because each has its own random states to save.

    Args:
        checkpoints: the folder of checkpoints.
        model: whose weights are saved.
        state: everything else that is saved.
        log: `metrics.jsonl` of the main process, which is forced to the disk first; None in the others.
        clock: brings the seconds up to date.
        divergence: checked first, so that no weights are saved after a gradient that is not finite.
        minutes: between checkpoints.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        model: TextModel,
        state: TrainState,
        *,
        log: MetricsLog | None,
        clock: Clock,
        divergence: DivergenceWatch,
        minutes: float,
    ) -> None:
        self.checkpoints, self.model, self.state = checkpoints, model, state
        self.log, self.clock, self.divergence = log, clock, divergence
        self.seconds_between = 60 * minutes
        self.last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is old, by the main process's clock. A collective call."""
        processes = self.state.processes
        return processes.any(processes.is_main and time.monotonic() - self.last > self.seconds_between)

    def save(self, *, is_best: bool = False) -> None:
        """Write a checkpoint.

        Args:
            is_best: whether the present weights are the best so far.

        Raises:
            DivergedError: a gradient since the last check was not finite.
            MachineError: the disk is full, or cannot be written.
        """
        self.divergence.check()
        progress, processes = self.state.progress, self.state.processes
        by_process = self.state.gather()
        progress.peak_memory = max(processes.gather(max(progress.peak_memory, peak_memory_mb())))
        if self.log is not None:
            self.clock.read()
            progress.metrics_bytes = self.log.sync()
            state = self.state.state_dict(by_process)
            self.checkpoints.save(self.model, state, step=progress.step, epoch=progress.epoch, is_best=is_best)
        self.last = time.monotonic()
