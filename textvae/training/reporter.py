"""Sends the numbers of a training to the log file, the trackers and the progress bar."""

from __future__ import annotations

from collections.abc import Mapping

from textvae.training.clock import Clock
from textvae.training.metrics import MetricsLog
from textvae.training.processes import Processes
from textvae.training.progress import ProgressBar
from textvae.training.state import Progress


class Reporter:
    """Writes numbers to `metrics.jsonl`, to the trackers, and to the progress bar.

    Args:
        log: of the main process; None in the others.
        bar: the progress bar.
        progress: has the step.
        clock: has the seconds.
        processes: have the trackers.
    """

    def __init__(
        self, log: MetricsLog | None, bar: ProgressBar, *, progress: Progress, clock: Clock, processes: Processes
    ) -> None:
        self.log, self.bar = log, bar
        self.progress, self.clock, self.processes = progress, clock, processes
        processes.start_trackers(progress.step)

    def advance(self) -> None:
        """Move the progress bar to the present step."""
        self.bar.advance(self.progress.step, self.progress.epoch)

    def write(self, values: Mapping[str, int | float], *, epoch: int) -> None:
        """Report numbers at the present step.

        Args:
            values: by name.
            epoch: counted from 1.
        """
        step = self.progress.step
        timed = {"epoch": epoch, **values, "seconds": self.clock.read()}
        if self.log is not None:
            self.log.write({"step": step, **timed})
        self.processes.track({name: float(value) for name, value in timed.items()}, step)
        self.bar.show(values)

    def close(self) -> None:
        """Close the file and the trackers."""
        self.processes.finish_trackers()
        if self.log is not None:
            self.log.close()
