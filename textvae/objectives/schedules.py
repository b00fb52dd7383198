"""Schedules of weights that change during training, as pure functions of the step.

Times are given in epochs, in steps or as fractions of the whole training (`unit`), and converted to steps when the
schedule is built. A schedule has no state, so that resuming is exact.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field, model_validator

from textvae.config import MAX_PARTS, Component

Unit = Literal["fraction", "epochs", "steps"]


@runtime_checkable
class Schedule(Protocol):
    """A function from the step to a weight; `first_final_step` is the first step from which the weight is constant."""

    first_final_step: int

    def __call__(self, step: int) -> float: ...


class ScheduleSettings(Component):
    """The settings of a schedule, with the traits that can be read before the length of training is known."""

    varies: ClassVar[bool] = True
    """Whether it may have different weights at different steps."""

    @property
    def counts_steps(self) -> bool:
        """Whether its times are given in steps, not in epochs or fractions of the training."""
        return False

    @abstractmethod
    def is_always(self, weight: float) -> bool:
        """Whether the weight is the given one at every step.

        >>> ConstantScheduleConfig(weight=0.0).is_always(0.0), LinearScheduleConfig(initial=0.0).is_always(0.0)
        (True, False)
        """

    @abstractmethod
    def build(self, *, steps_per_epoch: int, total_steps: int) -> Schedule:
        """Build the schedule, with times converted to steps."""


def _steps(time: float, unit: Unit, steps_per_epoch: int, total_steps: int) -> float:
    return time * {"fraction": total_steps, "epochs": steps_per_epoch, "steps": 1}[unit]


class ConstantScheduleConfig(ScheduleSettings):
    """The same weight at every step.

    >>> ConstantScheduleConfig(weight=0.5).build(steps_per_epoch=10, total_steps=100)(7)
    0.5
    """

    kind: Literal["constant"] = "constant"
    varies: ClassVar[bool] = False
    weight: float = Field(1.0, ge=0)

    def is_always(self, weight: float) -> bool:
        return self.weight == weight

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Constant:
        return Constant(self.weight)


class Constant:
    first_final_step = 0

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, step: int) -> float:
        return self.weight


class LinearScheduleConfig(ScheduleSettings):
    """`initial` until `start`, then linear to `final` at `end`, then `final`.

    A `start` above 0 with `initial = 0` first trains an autoencoder (Li et al. 2019, arXiv 1909.00868).

    >>> schedule = LinearScheduleConfig(start=0.25, end=0.75).build(steps_per_epoch=10, total_steps=100)
    >>> [schedule(step) for step in (0, 25, 50, 75, 99)], schedule.first_final_step
    ([0.0, 0.0, 0.5, 1.0, 1.0], 75)
    """

    kind: Literal["linear"] = "linear"
    start: float = Field(0.0, ge=0)
    end: float = Field(0.5, ge=0)
    unit: Unit = "fraction"
    initial: float = Field(0.0, ge=0)
    final: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> LinearScheduleConfig:
        if self.end < self.start:
            raise ValueError(f"end = {self.end} must not be before start = {self.start}")
        return self

    @property
    def counts_steps(self) -> bool:
        return self.unit == "steps"

    def is_always(self, weight: float) -> bool:
        return self.initial == self.final == weight

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Linear:
        start = _steps(self.start, self.unit, steps_per_epoch, total_steps)
        end = _steps(self.end, self.unit, steps_per_epoch, total_steps)
        return Linear(start, end, self.initial, self.final)


class Linear:
    def __init__(self, start: float, end: float, initial: float, final: float) -> None:
        self.start, self.end, self.initial, self.final = start, end, initial, final
        self.first_final_step = math.ceil(end)

    def __call__(self, step: int) -> float:
        if step >= self.end:
            return self.final
        if step <= self.start:
            return self.initial
        return self.initial + (self.final - self.initial) * (step - self.start) / (self.end - self.start)


class SigmoidScheduleConfig(ScheduleSettings):
    """A logistic curve from 0 to `final` (Bowman et al. 2016, section 3.1).

    The weight is `final` / (1 + exp(-(step - center) / width)) until 7 widths after the center, where it is within
    0.1 % of its limit, and exactly `final` from there on.

    >>> schedule = SigmoidScheduleConfig(center=0.5, width=0.05).build(steps_per_epoch=10, total_steps=100)
    >>> schedule(50), schedule(99), schedule.first_final_step
    (0.5, 1.0, 85)
    """

    kind: Literal["sigmoid"] = "sigmoid"
    center: float = Field(0.4, ge=0)
    width: float = Field(0.05, gt=0)
    unit: Unit = "fraction"
    final: float = Field(1.0, ge=0)

    @property
    def counts_steps(self) -> bool:
        return self.unit == "steps"

    def is_always(self, weight: float) -> bool:
        return self.final == weight == 0.0

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Sigmoid:
        center = _steps(self.center, self.unit, steps_per_epoch, total_steps)
        return Sigmoid(center, _steps(self.width, self.unit, steps_per_epoch, total_steps), self.final)


class Sigmoid:
    def __init__(self, center: float, width: float, final: float) -> None:
        self.center, self.width, self.final = center, width, final
        self.first_final_step = math.ceil(round(center + 7.0 * width, 6))

    def __call__(self, step: int) -> float:
        if step >= self.first_final_step:
            return self.final
        # By tanh, because the exponential of the formula would overflow at early steps.
        return self.final * 0.5 * (1.0 + math.tanh(0.5 * (step - self.center) / self.width))


class CyclicalScheduleConfig(ScheduleSettings):
    """Cycles, each with weight 0 for a share `zero`, then linear to `final` for a share `rise`, then `final`.

    Fu et al. 2019 (arXiv 1903.10145). The cycles divide the first share `end` of training equally; after them the
    weight stays `final`. With a decaying learning rate, choose `end` below 1 to leave time after the last cycle.

    >>> config = CyclicalScheduleConfig(cycles=2, zero=0.5, rise=0.25)
    >>> schedule = config.build(steps_per_epoch=10, total_steps=80)
    >>> [schedule(step) for step in (0, 20, 25, 30, 39, 40, 79)], schedule.first_final_step
    ([0.0, 0.0, 0.5, 1.0, 1.0, 0.0, 1.0], 70)
    >>> schedule = config.model_copy(update={"end": 0.5}).build(steps_per_epoch=10, total_steps=80)
    >>> [schedule(step) for step in (0, 19, 20, 39, 79)], schedule.first_final_step
    ([0.0, 1.0, 0.0, 1.0, 1.0], 35)
    """

    kind: Literal["cyclical"] = "cyclical"
    cycles: int = Field(4, gt=0, le=MAX_PARTS)
    zero: float = Field(0.5, ge=0, le=1)
    rise: float = Field(0.25, ge=0, le=1)
    end: float = Field(1.0, gt=0, le=1, description="share of training that the cycles take")
    final: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> CyclicalScheduleConfig:
        if self.zero + self.rise > 1:
            raise ValueError(f"zero + rise = {self.zero + self.rise} must be at most 1, the length of a cycle")
        return self

    def is_always(self, weight: float) -> bool:
        return self.final == weight == 0.0

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Cyclical:
        return Cyclical(self.end * total_steps / self.cycles, self.cycles, self.zero, self.rise, self.final)


class Cyclical:
    def __init__(self, period: float, cycles: int, zero: float, rise: float, final: float) -> None:
        self.period, self.cycles, self.zero, self.rise, self.final = period, cycles, zero, rise, final
        self.first_final_step = math.ceil((cycles - 1 + zero + rise) * period)

    def __call__(self, step: int) -> float:
        if step >= self.first_final_step:
            return self.final
        position = (step / self.period) % 1.0
        if position < self.zero:
            return 0.0
        if position >= self.zero + self.rise:
            return self.final
        return self.final * (position - self.zero) / self.rise


ScheduleConfig = Annotated[
    ConstantScheduleConfig | LinearScheduleConfig | SigmoidScheduleConfig | CyclicalScheduleConfig,
    Field(discriminator="kind"),
]
