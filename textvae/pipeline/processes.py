"""Several processes of one command (`torchrun`, `accelerate launch`): all train; the main process does the rest."""

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
    """Whether this is the main process (rank 0) of those started together; True for a single process."""
    return int(os.environ.get("RANK", "0")) == 0


class Team:
    """The processes that were started together; usually there is one.

    Work that is not written for several processes is done by the main process, and the others wait for it. They
    synchronize through accelerate's state. It is made only for several processes, so that one need not import torch.
    """

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.is_main = leads()
        self._state = None
        if self.size > 1:
            import torch
            from accelerate import PartialState

            # On a machine without an accelerator, accelerate forms no process group under torchrun unless cpu=True.
            # Training uses the group that is made here.
            wanted = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
            cpu = wanted or not torch.accelerator.is_available()
            # The timeout is long, because the others wait while the main process tokenizes the corpus.
            self._state = PartialState(cpu=cpu, timeout=timedelta(days=7))
            if self._state.num_processes != self.size:
                raise MachineError(
                    f"{self.size} processes were started, but accelerate counts {self._state.num_processes}, so they "
                    "cannot communicate; start one process, or check the launcher's settings."
                )

    def wait(self) -> None:
        """Wait until every process has reached this call."""
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
        """End the process group: the main process is on its own from here on, and the others have no more to do."""
        if self._state is None:
            return
        self.wait()
        import torch
        from accelerate.state import AcceleratorState, PartialState

        torch.distributed.destroy_process_group()
        AcceleratorState._reset_state()
        PartialState._reset_state()
        # With these variables set, accelerate would look for the other processes again.
        for name in _STARTED_WITH:
            os.environ.pop(name, None)
        self._state, self.size = None, 1
