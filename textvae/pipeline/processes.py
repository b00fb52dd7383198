"""Several processes of one command (`torchrun`, `accelerate launch`): one leads, all take part in training."""

from __future__ import annotations

import os
from datetime import timedelta

from textvae.errors import MachineError


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

    def disband(self) -> None:
        """The main process goes on alone: what trains after this (a classifier) must wait for nobody."""
        if self._state is None:
            return
        self.wait()
        import torch
        from accelerate.state import AcceleratorState, PartialState

        torch.distributed.destroy_process_group()
        AcceleratorState._reset_state()
        PartialState._reset_state()
        # With these variables set, the process would be taken for one of several again.
        for name in (
            "RANK",
            "WORLD_SIZE",
            "LOCAL_RANK",
            "LOCAL_WORLD_SIZE",
            "GROUP_RANK",
            "MASTER_ADDR",
            "MASTER_PORT",
        ):
            os.environ.pop(name, None)
        self._state, self.size = None, 1
