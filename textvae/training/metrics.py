"""Metrics of training: sums on the device between two log lines, and the log file."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textvae.disk import no_number
from textvae.evaluation.information import active_units_of_sums
from textvae.training.step import StepResult

METRICS_FILE = "metrics.jsonl"


class Window:
    """Sums since the last log line. Nothing is read from the device until `means`.

    Per-sentence means are total / count over all sentences of the window, never a mean of batch means.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset all sums."""
        self.totals_K: Tensor | None = None
        self.units_2D: Tensor | None = None
        self.grad_norm: Tensor | None = None
        self.names: tuple[str, ...] = ()
        self.steps = self.sentences = self.tokens = 0
        self.seconds = 0.0

    def add(self, step: StepResult) -> None:
        """Add one step: this process's sums, and the counts of the global batch."""
        if self.totals_K is None or self.units_2D is None or self.grad_norm is None:
            self.names = step.names
            self.totals_K, self.units_2D = step.totals_K.clone(), step.units_2D.clone()
            self.grad_norm = step.grad_norm.clone()
        else:
            self.totals_K += step.totals_K
            self.units_2D += step.units_2D
            self.grad_norm += step.grad_norm
        self.steps += 1
        self.sentences += step.sentences
        self.tokens += step.tokens

    def means(self, sum_over_processes: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Means per sentence by name, `active_units` where there are latents, and the mean `grad_norm`.

        Args:
            sum_over_processes: the sum of a tensor over all processes; a collective call, so all processes must make
                it.
        """
        if self.totals_K is None or self.units_2D is None or self.grad_norm is None:
            return {}
        totals_K, units_2D = sum_over_processes(self.totals_K), sum_over_processes(self.units_2D)
        numbers: dict[str, float] = dict(
            zip(self.names, (totals_K / self.sentences).tolist(), strict=True)  # the only wait for the device
        )
        if units_2D.shape[1]:
            numbers["active_units"] = active_units_of_sums(units_2D, self.sentences)
        numbers["grad_norm"] = float(self.grad_norm) / self.steps
        return numbers

    def state_dict(self) -> dict[str, Any]:
        return {name: value.cpu() if isinstance(value, Tensor) else value for name, value in vars(self).items()}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        for name, value in state.items():
            setattr(self, name, value.to(device) if isinstance(value, Tensor) else value)
        self.names = tuple(self.names)


class MetricsLog:
    """`metrics.jsonl`: one JSON object a line, appended.

    Args:
        path: of the file.
        size: bytes of the file that are kept. Lines after them were written after the last checkpoint; the resumed
            training writes them again.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("ab")
        found = os.fstat(self._stream.fileno()).st_size
        if found < size:
            warnings.warn(
                f"{path} has lost lines: got {found} bytes, expected {size}; training continues without these lines.",
                stacklevel=2,
            )
        if found > size:
            self._stream.truncate(size)

    def write(self, values: Mapping[str, int | float]) -> None:
        """Write one line. NaN and infinities are left out: JSON cannot represent them."""
        rounded = {
            name: float(f"{value:.8g}") if isinstance(value, float) else value
            for name, value in values.items()
            if not no_number(value)
        }
        self._stream.write((json.dumps(rounded) + "\n").encode())
        self._stream.flush()

    def sync(self) -> int:
        """Force everything to the disk and return the number of bytes."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return os.fstat(self._stream.fileno()).st_size

    def close(self) -> None:
        self._stream.close()
