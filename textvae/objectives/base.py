"""The base classes of objectives, which turn a model's terms and a step into a loss, and of their settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from torch import Tensor

from textvae.config import Component
from textvae.objectives.free_bits import FreeBitsConfig
from textvae.objectives.schedules import ScheduleConfig
from textvae.types import LatentTerms, ObjectiveOutput

BatchMean = Callable[[Tensor], Tensor]
"""[B, ...] -> [...]: the mean over all sentences of the global batch."""

Gradient = Literal["plain", "sticking_the_landing", "doubly_reparameterized"]
"""Estimators of the encoder's gradient: that of the formula; without the score of q; or doubly reparameterized. See
`IWAE`."""

BOUND, PROXY_BOUND = "valid_elbo_nll", "valid_proxy_elbo_nll"
"""Metrics that choose the best epoch: minus the ELBO (KL weight 1) of the validation sentences, under q(z|x), or under
the Gaussians with its moments if it has no density."""

RECONSTRUCTION, LOSS = "valid_nll", "valid_loss"
"""The same for objectives that are no bound: -E_q log p(x|z) of the validation sentences, or the whole loss at the
current weight."""


def local_mean(x: Tensor) -> Tensor:
    """The mean over the sentences of a batch, for training by a single process."""
    return x.mean(0)


class ObjectiveSettings(Component):
    """The settings of an objective, with the traits that other parts read before training.

    Attributes:
        takes_allowance: whether it has a setting `free_bits`, which exempts some KL from the loss.
        linear: whether the loss is an expectation under q, not a nonlinear function of one.
        for_implicit: whether it is for posteriors without a density; all other objectives need one.
        compares_codes: whether the loss of a sentence depends on the codes of others in its batch. Batches then mix all
            lengths, so that each is a random sample of the corpus.
    """

    takes_allowance: ClassVar[bool] = False
    linear: ClassVar[bool] = False
    for_implicit: ClassVar[bool] = False
    compares_codes: ClassVar[bool] = False

    @property
    def weights(self) -> Mapping[str, ScheduleConfig]:
        """The schedule of the weight of everything but the reconstruction, by the name of its setting; empty without
        such a weight."""
        return {}

    @property
    def trains_prior(self) -> bool:
        """Whether a prior with parameters gets a gradient. If not, nothing pulls the codes of sentences to the prior
        either, so that the decoder is not trained on codes like those of the prior."""
        return True

    @property
    def bound_at_weight_one(self) -> bool:
        """Whether with these settings minus the loss is a lower bound of log p(x), with a KL weight of 1 at every
        step."""
        return False

    @property
    def gradient_estimator(self) -> Gradient:
        """The estimator of the encoder's gradient."""
        return "plain"

    @property
    def kl_allowance(self) -> FreeBitsConfig | None:
        """The free-bits settings, which exempt some KL from the loss; None for none."""
        return None

    @abstractmethod
    def build(self, *, steps_per_epoch: int, total_steps: int) -> Objective:
        """Build the objective; the lengths resolve the times of its schedules."""


class KLWeightedSettings(ObjectiveSettings):
    """The settings of an objective that is a bound on log p(x) if its KL has weight 1. `weights` has one entry, the
    schedule of that weight."""

    @property
    def trains_prior(self) -> bool:
        return not all(schedule.is_always(0.0) for schedule in self.weights.values())

    @property
    def bound_at_weight_one(self) -> bool:
        return all(schedule.is_always(1.0) for schedule in self.weights.values())


class Objective(ABC):
    """From terms and a step to a loss, without access to the model.

    Attributes:
        num_samples: the number of samples of z for each sentence in the terms that it gets.
        competes_by: the number of the validation sentences by which the best epoch is chosen (the lowest):
            `valid_elbo_nll`, `valid_proxy_elbo_nll`, `valid_nll` or `valid_loss`.
    """

    num_samples: int = 1
    competes_by: ClassVar[str] = BOUND

    @property
    def first_final_step(self) -> int:
        """The first step from which its weight is constant. Only epochs after it can be chosen as the best."""
        return 0

    @abstractmethod
    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        """The loss of each sentence, nats, and the metrics to report.

        Args:
            terms: the terms of a batch.
            step: the training step, which determines the weight.
            batch_mean: the mean over the global batch, when several processes share one.
        """
