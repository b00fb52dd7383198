"""Callbacks: rules of training that act before a step, after a step, or after an epoch."""

from __future__ import annotations

import numpy as np


class Callback:
    """Acts before a step, after a step, or after an epoch; each method does nothing by default.

    The training loop calls its callbacks in the order of its list. State that must survive a restart is listed in the
    loop among the parts that checkpoints contain.
    """

    def before_step(self, batches: list[np.ndarray]) -> None:
        """Before an update.

        Args:
            batches: all batches of this epoch, each the positions of its sentences in the training corpus.
        """

    def after_step(self, indices: np.ndarray) -> None:
        """After an update, before it is counted.

        Args:
            indices: the sentences of the global batch.
        """

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        """After the last update of an epoch, before the epoch is counted.

        Args:
            numbers: metrics of the epoch from the callbacks before this one; this callback adds its own.
        """
