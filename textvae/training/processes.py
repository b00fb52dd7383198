"""One process or many, through accelerate: devices, precision, slices of a batch, sums over processes.

accelerate's sharding loader repeats sentences to make its shards equal, so it is not used. Every process takes a slice
of each global batch, and all sums are divided by the global count. The result is then that of a single process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import gather_object, is_tensorboard_available
from torch import Tensor

from textvae.errors import ConfigError
from textvae.objectives.base import BatchMean

T = TypeVar("T")


class Processes:
    """The group of processes of one training; each process has one such object.

    Under `torchrun` or `accelerate launch` there are several processes; otherwise there is one. The device is the
    accelerator of the machine, else the CPU; the environment variable ACCELERATE_USE_CPU=1 selects the CPU.

    Args:
        precision: "float32" or "bf16" (autocast).
        trackers: names of accelerate's trackers.
        out: folder for the trackers' files.
    """

    def __init__(self, precision: str = "float32", trackers: Sequence[str] = (), out: Path | None = None) -> None:
        if "tensorboard" in trackers and not is_tensorboard_available():
            raise ConfigError(
                "trackers = ['tensorboard'] needs the tensorboard package, which is missing; "
                "install it with `pip install textvae[tensorboard]`, or remove the setting."
            )
        # A second training in the same process may have another precision; the process group is kept.
        AcceleratorState._reset_state(reset_partial_state=False)
        # On a machine without an accelerator, accelerate forms no process group under torchrun unless cpu=True. An
        # existing process group is used as it is.
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        cpu = several and not PartialState._shared_state and not torch.accelerator.is_available()
        self.accelerator = Accelerator(
            cpu=cpu,
            mixed_precision="bf16" if precision == "bf16" else "no",
            log_with=list(trackers) or None,
            project_dir=None if out is None else str(out),
            # A decoder without token inputs has embeddings that get no gradient.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.device = self.accelerator.device
        self.count = self.accelerator.num_processes
        self.index = self.accelerator.process_index
        self.is_main = self.accelerator.is_main_process

    @property
    def sum_dtype(self) -> torch.dtype:
        """For sums over many sentences: double precision where the device has it."""
        return torch.float32 if self.device.type == "mps" else torch.float64

    def share(self, indices: np.ndarray) -> tuple[np.ndarray, bool]:
        """This process's slice of a global batch, and whether it is counted.

        Where a batch has fewer sentences than there are processes, the remaining processes get one sentence that is
        not counted, because they must take part in the collective sums of the step. The slices are strided, so that
        lengths are balanced in batches sorted by length.

        Args:
            indices: the sentences of the global batch, [N].
        """
        mine = indices[self.index :: self.count]
        return (mine, True) if len(mine) else (indices[:1], False)

    def sum(self, x: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        return x if self.count == 1 else self.accelerator.reduce(x, reduction="sum")

    def any(self, flag: bool) -> bool:
        """Whether the flag is True in any process. A collective call: all processes must make it."""
        if self.count == 1:
            return flag
        return bool(self.sum(torch.tensor([float(flag)], device=self.device)).item())

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in their order. A collective call."""
        return [value] if self.count == 1 else gather_object([value])

    def batch_mean(self, count: int, counts: bool) -> BatchMean:
        """The mean over the sentences of the global batch, for an objective.

        Args:
            count: sentences of the global batch.
            counts: whether this process's slice is counted.

        Returns:
            a function from [B, ...] to [...], without gradient.
        """

        def mean(x: Tensor) -> Tensor:
            total = x.detach().sum(0)
            return self.sum(total if counts else torch.zeros_like(total)) / count

        return mean

    def wait(self) -> None:
        """Wait until all processes have reached this call."""
        self.accelerator.wait_for_everyone()

    def start_trackers(self, step: int) -> None:
        """Open the trackers. Entries of later steps, from before an interruption, are dropped."""
        if self.accelerator.log_with:
            self.accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": {"purge_step": step + 1}})

    def track(self, values: Mapping[str, int | float], step: int) -> None:
        """Log numbers to the trackers."""
        if self.accelerator.log_with:
            self.accelerator.log(dict(values), step=step)

    def finish_trackers(self) -> None:
        """Close the trackers."""
        # Not accelerator.end_training(), which also ends the process group that a later stage may need.
        if self.is_main:
            for tracker in self.accelerator.trackers:
                tracker.finish()
