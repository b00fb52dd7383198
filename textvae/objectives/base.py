"""The contract of an objective: a model's terms and a step in, a loss out; and what its settings tell beforehand."""

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
"""How the encoder's gradient is estimated: as the formula says; without the score of q; or rewritten so that the
gradient that reaches a sample is scaled. See `IWAE`."""

BOUND, PROXY_BOUND = "valid_elbo_nll", "valid_proxy_elbo_nll"
"""Minus the weight-1 bound of validation sentences: under q(z|x), or under the Gaussians with its moments where it has
no density."""

RECONSTRUCTION, LOSS = "valid_nll", "valid_loss"
"""Of validation sentences, where the objective is no bound: -E_q log p(x|z), and all that it charges at the present
weight."""


def local_mean(x: Tensor) -> Tensor:
    """The mean over the sentences of a batch that a single process holds."""
    return x.mean(0)


class ObjectiveSettings(Component):
    """The settings of an objective, and what they tell before anything is trained.

    Attributes:
        takes_allowance: whether it has a setting `free_bits`, which says what KL costs nothing.
        linear: whether the loss is an expectation under q, without a function around it that bends.
        for_implicit: whether it is for posteriors without a density; every other objective needs one.
        compares_codes: whether what it charges a sentence depends on the codes of others in its batch. Batches are then
            of all lengths, so that each is a fair sample of the corpus.
    """

    takes_allowance: ClassVar[bool] = False
    linear: ClassVar[bool] = False
    for_implicit: ClassVar[bool] = False
    compares_codes: ClassVar[bool] = False

    @property
    def weights(self) -> Mapping[str, ScheduleConfig]:
        """By the name of its setting, the schedule of the weight of all that is charged beside the reconstruction;
        empty where there is none."""
        return {}

    @property
    def trains_prior(self) -> bool:
        """Whether a prior with parameters learns from it. Where it does not, nothing draws the codes of sentences to
        the prior either, and codes drawn from the prior are none that the decoder knows."""
        return True

    @property
    def bound_at_weight_one(self) -> bool:
        """Whether with these settings minus the loss is a bound on log p(x) whose KL always has weight 1."""
        return False

    @property
    def gradient_estimator(self) -> Gradient:
        """How the encoder's gradient is estimated."""
        return "plain"

    @property
    def kl_allowance(self) -> FreeBitsConfig | None:
        """Which KL costs nothing; None for none."""
        return None

    @abstractmethod
    def build(self, *, steps_per_epoch: int, total_steps: int) -> Objective:
        """The objective; its schedules need to know how long training takes."""


class KLWeightedSettings(ObjectiveSettings):
    """The settings of an objective that is a bound on log p(x) where its KL has weight 1; its `weights` name that one
    schedule."""

    @property
    def trains_prior(self) -> bool:
        return not all(schedule.is_always(0.0) for schedule in self.weights.values())

    @property
    def bound_at_weight_one(self) -> bool:
        return all(schedule.is_always(1.0) for schedule in self.weights.values())


class Objective(ABC):
    """Terms and a step to a loss. It never sees a model.

    Attributes:
        num_samples: samples of z for each sentence that its terms are asked with.
        competes_by: by which number of the validation sentences epochs compete, lower is better: `valid_elbo_nll`,
            `valid_proxy_elbo_nll`, `valid_nll` or `valid_loss`.
    """

    num_samples: int = 1
    competes_by: ClassVar[str] = BOUND

    @property
    def first_final_step(self) -> int:
        """The first step from which its weight never changes again: only from there may epochs compete."""
        return 0

    @abstractmethod
    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        """The loss of each sentence, nats, and the numbers to be told beside it.

        Args:
            terms: of a batch.
            step: of training, which sets the weight.
            batch_mean: the mean over the global batch, where several processes share one.
        """
