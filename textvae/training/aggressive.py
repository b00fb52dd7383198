"""Aggressive training of the encoder: several updates of the encoder before each update of the decoder."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pydantic import Field

from textvae.config import Component
from textvae.training.callback import Callback
from textvae.training.state import Progress
from textvae.training.step import TrainStep


class AggressiveConfig(Component):
    """He et al. 2019 (arXiv 1901.05534), algorithm 1.

    Before each update of the decoder the encoder alone is updated, on batches drawn at random, until the mean loss of
    `window` batches is no lower than that of the `window` before, at most `max_updates` times. The decoder's update
    does not change the encoder. When the mutual information of validation sentences and z falls from one epoch to the
    next, ordinary training follows.

    The estimate of the mutual information of N sentences is at most log N; it reaches this cap when each code
    identifies its sentence. Near the cap it rises and falls by chance. An epoch near the cap is not compared with
    others while the KL weight still changes. Once the weight is final, such an epoch ends the aggressive phase: z is
    used, and a fall of the mutual information could not be measured. More `guard_sentences` raise the cap.
    """

    kind: Literal["aggressive"] = "aggressive"
    max_updates: int = Field(100, ge=1, description="most updates of the encoder before one of the decoder")
    window: int = Field(15, ge=1, description="batches whose mean loss is compared")
    max_epochs: int | None = Field(None, ge=1, description="most epochs of the aggressive phase; no limit when absent")


SATURATED = math.log(2.0)
"""Nats below the cap within which an estimate of mutual information is not informative. There a sentence's code is, in
the geometric mean, likelier under its own q than under the q of all other sentences together."""


class InnerLoop:
    """The stopping rule of one inner loop: the encoder is updated until its loss stops falling.

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
        """Count one update of the encoder, and return whether it was the last.

        Args:
            loss_sum: sum of the loss over its batch, nats.
            sentences: in its batch.
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
    """Decides after each epoch, by mutual information, whether the next epoch is aggressive.

    Args:
        config: of the inner loop; None for ordinary training from the start.

    >>> rule = AggressiveRule(AggressiveConfig(max_epochs=9))
    >>> [rule.judge(mi) for mi in (0.5, 1.5, 1.4, 2.0)]
    [True, True, False, False]

    Near the cap the estimates rise and fall by chance, so the first one below it has nothing to be compared with.

    >>> rule = AggressiveRule(AggressiveConfig())
    >>> [rule.judge(mi, cap=6.21, final=False) for mi in (6.20, 6.19, 5.0, 5.1, 4.9)]
    [True, True, True, True, False]
    """

    def __init__(self, config: AggressiveConfig | None) -> None:
        self.config = config
        self.on = config is not None
        self.mutual_information = -math.inf
        self.epochs = self.encoder_updates = 0

    def judge(self, mutual_information: float, cap: float = math.inf, final: bool = True) -> bool:
        """Judge an epoch.

        Args:
            mutual_information: its estimate, nats.
            cap: the largest value of the estimate, nats.
            final: whether the KL weight has its final value.

        Returns:
            whether the next epoch is aggressive.
        """
        self.epochs += 1
        longest = math.inf if self.config is None or self.config.max_epochs is None else self.config.max_epochs
        if mutual_information > cap - SATURATED:
            goes_on = not final
        else:
            # Only epochs below the cap are remembered for comparison: above, the estimate is not informative.
            goes_on = mutual_information >= self.mutual_information
            self.mutual_information = mutual_information
        self.on = self.on and goes_on and self.epochs < longest
        return self.on

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "config"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class AggressiveUpdates(Callback):
    """In the aggressive phase, updates encoder and posterior alone before each update of the other parameters.

    The update of the other parameters, those of regularizers among them, does not change encoder and posterior.

    Args:
        rule: decides whether training is still aggressive; its state is saved.
        train_step: makes the updates.
        progress: has the present step; the tokens seen are added to it.
        first_final_step: the first step from which the KL weight no longer changes.
        seed: of the choice of batches for the encoder.
    """

    def __init__(
        self,
        rule: AggressiveRule,
        train_step: TrainStep,
        *,
        progress: Progress,
        first_final_step: int,
        seed: int,
    ) -> None:
        self.rule, self.train_step, self.progress = rule, train_step, progress
        self.first_final_step, self.seed = first_final_step, seed
        inference = {id(weight) for part in train_step.loss.model.inference_parts for weight in part.parameters()}
        trained = [parameter for parameter in train_step.loss.parameters() if parameter.requires_grad]
        self.encoder = tuple(parameter for parameter in trained if id(parameter) in inference)
        self.rest = tuple(parameter for parameter in trained if id(parameter) not in inference)

    def before_step(self, batches: list[np.ndarray]) -> None:
        if self.rule.on:
            self.update_encoder(batches)
            self.train_step.frozen = self.encoder

    def update_encoder(self, batches: list[np.ndarray]) -> None:
        """Update the encoder alone, on batches of this epoch drawn at random, until its loss stops falling."""
        drawn = np.random.default_rng([self.seed, self.progress.step])
        assert self.rule.config is not None
        loop = InnerLoop(self.rule.config)
        self.train_step.frozen = self.rest
        done = False
        while not done:
            indices = batches[int(drawn.integers(len(batches)))]
            result = self.train_step(indices, self.progress.step)
            self.rule.encoder_updates += 1
            self.progress.train_tokens += result.tokens
            done = loop.done(self.train_step.mean_loss(result) * result.sentences, result.sentences)

    def after_step(self, indices: np.ndarray) -> None:
        self.train_step.frozen = ()

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        # There is no guard_mi where the guard has fewer than two sentences.
        if not self.rule.on or "guard_mi" not in numbers:
            return
        goes_on = self.rule.judge(
            numbers["guard_mi"],
            cap=numbers["guard_mi_cap"],
            final=self.progress.step >= self.first_final_step,
        )
        numbers["aggressive"] = float(goes_on)
        numbers["encoder_updates"] = self.rule.encoder_updates
