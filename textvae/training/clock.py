"""How long a training takes: all of it, and its steps alone."""

from __future__ import annotations

import time

from textvae.training.metrics import Window
from textvae.training.state import Progress


class Clock:
    """Adds the time that passes to a training's numbers.

    Args:
        progress: takes the seconds of the whole training and those of its steps.
        window: takes the seconds of the steps since the last log line.
        started: `time.perf_counter()` when this sitting began.
    """

    def __init__(self, progress: Progress, window: Window, started: float) -> None:
        self.progress, self.window = progress, window
        self._read = started
        self.start_steps()

    def read(self) -> float:
        """Wall-clock seconds of the training so far, all sittings together."""
        now = time.perf_counter()
        self.progress.seconds += now - self._read
        self._read = now
        return self.progress.seconds

    def start_steps(self) -> None:
        """What passes from now on is the time of steps."""
        self._steps_wall, self._steps_cpu = time.perf_counter(), time.process_time()

    def count_steps(self) -> None:
        """Add what passed since the last of these two calls to the time of the steps."""
        wall, cpu = self._steps_wall, self._steps_cpu
        self.start_steps()
        self.progress.train_seconds += self._steps_wall - wall
        self.window.seconds += self._steps_wall - wall
        self.progress.train_cpu_seconds += self._steps_cpu - cpu
