"""Several processes of one command (`torchrun`, `accelerate launch`): one leads, all take part in training."""

from __future__ import annotations

import os
from datetime import timedelta


class Team:
    """The processes that were started together; usually there is one.

    Only `is_main` runs what is not made for several processes; the others wait for it. They meet through
    accelerate's state, which is made only where there are several, so that a single process need not import torch.
    """

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.is_main = int(os.environ.get("RANK", "0")) == 0
        self._state = None
        if self.size > 1:
            from accelerate import PartialState

            # The others may have to wait while the main process tokenizes a large corpus.
            self._state = PartialState(timeout=timedelta(days=7))

    def wait(self) -> None:
        """Until every process has come here."""
        if self._state is not None:
            self._state.wait_for_everyone()
