"""The three moments of a training at which something may act beside the update itself."""

from __future__ import annotations

import numpy as np


class Callback:
    """Acts before a step, after a step, or after an epoch; by default at none of them.

    The trainer walks through its list of callbacks at each moment, always in the same order. One that must remember
    something over a restart names its state in the trainer's list of parts that are saved.
    """

    def before_step(self, batches: list[np.ndarray]) -> None:
        """Before an update.

        Args:
            batches: all batches of this epoch, each the positions of its sentences in the training corpus.
        """

    def after_step(self, indices: np.ndarray) -> None:
        """After an update, which is not counted yet.

        Args:
            indices: the sentences of the global batch.
        """

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        """After the last update of an epoch, which is not counted yet.

        Args:
            numbers: what callbacks before this one have measured of the epoch; this one adds its own.
        """
