"""The learning rate by step: a warm-up, then one of the decays.

Warm-up and cosine are pure functions of the step. The plateau also depends on the validation of each epoch: its three
numbers are saved in checkpoints.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from textvae.config import Component


class NoDecayConfig(Component):
    """The rate is constant after the warm-up."""

    kind: Literal["none"] = "none"


class PlateauConfig(Component):
    """The rate is multiplied by `factor` after `patience` epochs without a better value of the selection criterion.

    The criterion is the validation number by which the best epoch is chosen. He et al. 2019 (arXiv 1901.05534): factor
    0.5, patience 2, from epoch 15, at most 5 times. Epochs before the KL weight is final are not judged, because their
    objective differs. When `patience` epochs bring no better value after the last decay, training ends.
    """

    kind: Literal["plateau"] = "plateau"
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(2, ge=1, description="epochs")
    max_decays: int = Field(5, ge=1)
    start_epoch: int = Field(0, ge=0, description="first epoch (counted from 0) that is judged")


class CosineConfig(Component):
    """Half a cosine from the full rate after the warm-up to `final` of it at the last step (arXiv 1608.03983)."""

    kind: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1, description="share of the rate that is left at the end")


DecayConfig = Annotated[NoDecayConfig | PlateauConfig | CosineConfig, Field(discriminator="kind")]


class LearningRate:
    """The learning rate of every step.

    Args:
        base: the optimizer's `lr`.
        warmup: steps in which the rate rises linearly; 0 for none.
        decay: of the rate after the warm-up.
        total_steps: of the whole training.
        restart: a step at which warm-up and cosine start again, over the remaining steps; 0 for none.

    >>> rate = LearningRate(1.0, warmup=4, decay=CosineConfig(final=0.5), total_steps=8)
    >>> [round(rate(step), 3) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.927, 0.75, 0.573]
    """

    def __init__(self, base: float, *, warmup: int, decay: DecayConfig, total_steps: int, restart: int = 0) -> None:
        self.base, self.warmup, self.decay, self.total_steps = base, warmup, decay, total_steps
        self.restart = restart
        self.best = math.inf
        self.bad_epochs = 0
        self.decays = 0

    def __call__(self, step: int) -> float:
        """The rate of update number `step`, counted from 0."""
        rate, total_steps = self.base, self.total_steps
        if self.restart:
            step, total_steps = (
                (step, self.restart) if step < self.restart else (step - self.restart, total_steps - self.restart)
            )
        if step < self.warmup:
            rate *= (step + 1) / self.warmup
        if isinstance(self.decay, CosineConfig) and step >= self.warmup:
            done = (step - self.warmup) / max(1, total_steps - self.warmup)
            rate *= self.decay.final + (1.0 - self.decay.final) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        if isinstance(self.decay, PlateauConfig):
            rate *= self.decay.factor**self.decays
        return rate

    def judge(self, value: float, epoch: int) -> bool:
        """Update the plateau with an epoch's selection criterion (nats per sentence, lower is better).

        Returns:
            whether training should end, because the largest number of decays is reached.
        """
        if not isinstance(self.decay, PlateauConfig) or epoch < self.decay.start_epoch:
            return False
        if value < self.best:
            self.best, self.bad_epochs = value, 0
            return False
        self.bad_epochs += 1
        if self.bad_epochs < self.decay.patience:
            return False
        self.bad_epochs = 0
        if self.decays == self.decay.max_decays:
            return True
        self.decays += 1
        return False

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "bad_epochs": self.bad_epochs, "decays": self.decays}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.bad_epochs, self.decays = state["best"], state["bad_epochs"], state["decays"]
