"""Several processes of one command (`torchrun`, `accelerate launch`): one leads, all take part in training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from textvae.errors import MachineError

_STARTED_WITH = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "GROUP_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
)
"""The environment variables by which a process is taken for one of several."""


def leads() -> bool:
    """Whether this process leads those that were started with it, until their `Team` is disbanded; one alone does."""
    return int(os.environ.get("RANK", "0")) == 0


class Team:
    """The processes that were started together; usually there is one.

    Only `is_main` runs what is not made for several processes; the others wait for it. They meet through
    accelerate's state, which is made only where there are several, so that a single process need not import torch.
    """

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.is_main = leads()
        self._state = None
        if self.size > 1:
            import torch
            from accelerate import PartialState

            # Without an accelerator, accelerate takes each of torchrun's processes for the only one, unless told that
            # the CPU is meant. Training finds the group that is made here.
            wanted = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
            cpu = wanted or not torch.accelerator.is_available()
            # The others may have to wait while the main process tokenizes a large corpus.
            self._state = PartialState(cpu=cpu, timeout=timedelta(days=7))
            if self._state.num_processes != self.size:
                raise MachineError(
                    f"{self.size} processes were started, but they do not see each other "
                    f"(accelerate counts {self._state.num_processes}); start one, or check the launcher's settings."
                )

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, the main process is on its own: what trains there (a classifier) waits for nobody.

        The others have nothing to do inside. At its end they wait for the main process, and all work together again.
        """
        if self._state is None:
            yield
            return
        self.wait()
        if self.is_main:
            from accelerate.state import AcceleratorState, PartialState

            # The process group stays as it is, for afterwards; nothing uses it without these.
            variables = {name: os.environ.pop(name) for name in _STARTED_WITH if name in os.environ}
            state = dict(PartialState._shared_state)
            AcceleratorState._reset_state(reset_partial_state=True)
            try:
                yield
            finally:
                AcceleratorState._reset_state(reset_partial_state=True)
                PartialState._shared_state.update(state)
                os.environ.update(variables)
        else:
            yield
        self.wait()

    def disband(self) -> None:
        """The others have no more to do, and the main process is on its own from here on."""
        if self._state is None:
            return
        self.wait()
        import torch
        from accelerate.state import AcceleratorState, PartialState

        torch.distributed.destroy_process_group()
        AcceleratorState._reset_state()
        PartialState._reset_state()
        for name in _STARTED_WITH:
            os.environ.pop(name, None)
        self._state, self.size = None, 1
