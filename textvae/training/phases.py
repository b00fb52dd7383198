"""When the weight of the KL begins and ends, as far as settings tell before the corpus is known."""

from __future__ import annotations

from textvae.objectives import ObjectiveSettings, ScheduleConfig

_STEPS = 100
"""Of an imagined epoch: fine enough to tell when a schedule is where, in epochs."""


def require_final_weight(objective: ObjectiveSettings, epochs: int, max_steps: int | None) -> None:
    """Refuse a weight that is final only after training has ended: no epoch could compete.

    Where the schedule counts steps, only `max_steps` can tell; the others are told by a warning at the end.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    for name, schedule in objective.weights.items():
        _require_final(name, schedule, epochs, max_steps)


def _require_final(name: str, schedule: ScheduleConfig, epochs: int, max_steps: int | None) -> None:
    if schedule.counts_steps and max_steps is None:
        return
    last = max_steps if schedule.counts_steps and max_steps is not None else epochs * _STEPS
    final = schedule.build(steps_per_epoch=_STEPS, total_steps=last).first_final_step
    # A share of a step is rounded up.
    if final <= last + 1:
        return
    when, most = f"{final / _STEPS:g} epochs", f"epochs = {epochs}"
    if schedule.counts_steps:
        when, most = f"{final} steps", f"max_steps = {last}"
    raise ValueError(
        f"objective.{name} gets its final weight only after {when}, and training ends after {most}, so that no epoch "
        "could compete; let it rise earlier, or train longer"
    )


def require_autoencoder_first(objective: ObjectiveSettings, epochs: int, fresh_decoder: int) -> None:
    """Refuse a fresh decoder without an autoencoder before it: the encoder would have collapsed by then.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    wanted = f'{{ kind = "linear", start = {fresh_decoder}, end = {min(fresh_decoder + 3, epochs)}, unit = "epochs" }}'
    if not objective.weights and objective.trains_prior:
        # That of a posterior without a density, which can have no other.
        raise ValueError(
            f"fresh_decoder = {fresh_decoder} needs an autoencoder before it, and the objective {objective.kind} has "
            "no weight that could be 0; remove fresh_decoder"
        )
    for name, schedule in objective.weights.items():
        weight = schedule.build(steps_per_epoch=_STEPS, total_steps=epochs * _STEPS)
        # Of an epoch it is known that it has a step, and no more.
        steps = fresh_decoder * (1 if schedule.counts_steps else _STEPS)
        if any(weight(step) > 0.0 for step in range(steps)):
            raise ValueError(
                f"fresh_decoder = {fresh_decoder} needs an autoencoder in the epochs before it, and there "
                f"objective.{name} is above 0, so that the encoder may collapse first; set objective.{name} = {wanted}"
            )
