"""Model selection by a validation value, and early stopping."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Selection:
    """Model selection by one validation value for each epoch, lower is better, and early stopping by the same value.

    Epochs before the KL weight is final are neither selected nor counted for early stopping: until then the objective
    is not the bound that is compared.

    Attributes:
        patience: epochs without a better value after which training ends; None for never.
        last: whether each epoch takes the place of the one before it, whatever its value.
        value: the best value so far: the criterion, or minus the metric where there is one.
        epoch: the epoch of that value, counted from 1; 0 while there is none.
        step: updates made at the end of that epoch.
        bound: the weight-1 bound of that epoch.
        criterion: the selection criterion of that epoch: the bound, unless the objective names another number.
        metric: the caller's validation metric of that epoch, where there is one.
        bad_epochs: epochs since then.
    """

    patience: int | None = None
    value: float = math.inf
    epoch: int = 0
    step: int = 0
    bound: float | None = None
    criterion: float | None = None
    metric: float | None = None
    bad_epochs: int = 0
    last: bool = False

    def update(
        self, *, epoch: int, step: int, bound: float, criterion: float | None = None, metric: float | None = None
    ) -> bool:
        """Compare an epoch with the best one so far.

        Args:
            epoch: counted from 1.
            step: updates made.
            bound: its weight-1 bound.
            criterion: compared in place of the bound, lower is better.
            metric: compared in place of both, higher is better.

        Returns:
            whether the epoch is the best so far.
        """
        criterion = bound if criterion is None else criterion
        value = criterion if metric is None else -metric
        value = math.inf if math.isnan(value) else value
        # The first epoch is kept whatever its value, so that a model is kept even if the bound is NaN.
        if value < self.value or self.epoch == 0 or self.last:
            self.value, self.epoch, self.step, self.bad_epochs = value, epoch, step, 0
            self.bound, self.criterion, self.metric = bound, criterion, metric
            return True
        self.bad_epochs += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether early stopping ends the training."""
        return self.patience is not None and self.bad_epochs >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "last"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name != "patience":
                setattr(self, name, value)
