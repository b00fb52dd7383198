"""A progress bar on standard error; nothing is drawn where standard error is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_SHOWN = (
    ("loss", "loss", ".1f"),
    ("kl", "kl", ".1f"),
    ("extended_rate", "rate", ".1f"),
    ("active_units", "active", ".0f"),
    ("tokens_per_second", "tok/s", ",.0f"),
    ("valid_elbo_nll", "valid", ".1f"),
    ("valid_proxy_elbo_nll", "valid proxy", ".1f"),
    ("valid_loss", "valid loss", ".1f"),
)


class _Numbers(ProgressColumn):
    """The latest metrics, in nats per sentence."""

    def render(self, task: Task) -> Text:
        numbers = task.fields["numbers"]
        return Text("  ".join(f"{label} {numbers[name]:{form}}" for name, label, form in _SHOWN if name in numbers))


class ProgressBar:
    """Loss, raw KL, active units, tokens per second and the time left.

    Args:
        total_steps: of the training.
        done: steps made before resuming.
        epochs: of the training.
        enabled: False for no bar. Without a terminal there is none either.
        console: where to draw, for tests.
    """

    def __init__(
        self, total_steps: int, done: int, epochs: int, *, enabled: bool = True, console: Console | None = None
    ) -> None:
        self._numbers: dict[str, int | float] = {}
        self._epochs = epochs
        self._progress: Progress | None = None
        if enabled and (console is not None or sys.stderr.isatty()):
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                TextColumn("{task.percentage:>3.0f} %"),
                _Numbers(),
                TimeRemainingColumn(compact=True),
                console=console or Console(stderr=True),
                # Few refreshes, because drawing takes time from the processor that trains.
                refresh_per_second=2,
            )
            self._task = self._progress.add_task("training", total=total_steps, completed=done, numbers=self._numbers)

    def __enter__(self) -> ProgressBar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, step: int, epoch: int) -> None:
        """Show the present step and epoch; epoch is counted from 0."""
        if self._progress is not None:
            description = f"epoch {min(epoch + 1, self._epochs)}/{self._epochs}"
            self._progress.update(self._task, completed=step, description=description)

    def show(self, numbers: Mapping[str, int | float]) -> None:
        """Show new values of metrics, given by their names in metrics.jsonl."""
        self._numbers.update(numbers)
