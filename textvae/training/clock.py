"""The time of a training: of all of it, and of its steps alone."""

from __future__ import annotations

import time

from textvae.training.metrics import Window
from textvae.training.state import Progress


class Clock:
    """Adds elapsed time to a training's counters.

    Args:
        progress: counts the seconds of the whole training and of its steps.
        window: counts the seconds of the steps since the last log line.
        started: `time.perf_counter()` at the start or resumption of the training in this process.
    """

    def __init__(self, progress: Progress, window: Window, started: float) -> None:
        self.progress, self.window = progress, window
        self._read = started
        self.start_steps()

    def read(self) -> float:
        """Wall-clock seconds of the training so far; time before a restart is included."""
        now = time.perf_counter()
        self.progress.seconds += now - self._read
        self._read = now
        return self.progress.seconds

    def start_steps(self) -> None:
        """Start timing steps; the time before is not counted as time of steps."""
        self._steps_wall, self._steps_cpu = time.perf_counter(), time.process_time()

    def count_steps(self) -> None:
        """Add the time since the last `start_steps` or `count_steps` to the time of the steps."""
        wall, cpu = self._steps_wall, self._steps_cpu
        self.start_steps()
        self.progress.train_seconds += self._steps_wall - wall
        self.window.seconds += self._steps_wall - wall
        self.progress.train_cpu_seconds += self._steps_cpu - cpu
