"""Aggressive training of the encoder: it catches up with the decoder before the decoder moves on."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from textvae.config import Component


class AggressiveConfig(Component):
    """He et al. 2019 (arXiv 1901.05534), algorithm 1.

    Before each update of the decoder the encoder alone is updated, on batches drawn at random, until the mean loss of
    `window` batches is no lower than that of the `window` before, at most `max_updates` times. The decoder's update
    leaves the encoder as it is. When the mutual information of validation sentences and z falls from one epoch to the
    next, training is plain from then on.
    """

    kind: Literal["aggressive"] = "aggressive"
    max_updates: int = Field(100, ge=1, description="of the encoder before one of the decoder")
    window: int = Field(15, ge=1, description="batches whose mean loss is compared")
    max_epochs: int | None = Field(None, ge=1, description="after so many epochs training is plain in any case")


class InnerLoop:
    """When the encoder has caught up: the stopping rule of one inner loop.

    >>> loop = InnerLoop(AggressiveConfig(max_updates=9, window=2))
    >>> [loop.done(loss, 1) for loss in (5.0, 5.0, 4.0, 4.0, 4.0, 4.5)]
    [False, False, False, False, False, True]
    """

    def __init__(self, config: AggressiveConfig) -> None:
        self.config = config
        self.updates = 0
        self.previous = math.inf
        self.loss = self.sentences = 0.0

    def done(self, loss_sum: float, sentences: int) -> bool:
        """Count one update of the encoder.

        Args:
            loss_sum: of its batch, nats.
            sentences: of its batch.
        """
        self.updates += 1
        self.loss += loss_sum
        self.sentences += sentences
        if self.updates % self.config.window == 0:
            mean = self.loss / self.sentences
            if mean >= self.previous:
                return True
            self.previous, self.loss, self.sentences = mean, 0.0, 0.0
        return self.updates >= self.config.max_updates


class AggressiveRule:
    """Whether training is still aggressive.

    Args:
        config: the inner loop's; None for a training that never is.

    >>> rule = AggressiveRule(AggressiveConfig(max_epochs=9))
    >>> [rule.judge(mi) for mi in (0.5, 1.5, 1.4, 2.0)]
    [True, True, False, False]
    """

    def __init__(self, config: AggressiveConfig | None) -> None:
        self.config = config
        self.on = config is not None
        self.mutual_information = -math.inf
        self.epochs = self.encoder_updates = 0

    def judge(self, mutual_information: float) -> bool:
        """Tell an epoch's mutual information (nats); the answer is whether the next epoch is aggressive."""
        self.epochs += 1
        longest = math.inf if self.config is None or self.config.max_epochs is None else self.config.max_epochs
        self.on = self.on and mutual_information >= self.mutual_information and self.epochs < longest
        self.mutual_information = mutual_information
        return self.on

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "config"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
