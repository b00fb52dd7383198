"""Checks of when the KL weight rises and is final, as far as settings determine it before the corpus is known."""

from __future__ import annotations

from textvae.objectives import ObjectiveSettings, ScheduleConfig

_STEPS = 100
"""Assumed steps of an epoch, whose real number is unknown here: enough to locate a schedule in epochs."""


def require_final_weight(objective: ObjectiveSettings, epochs: int, max_steps: int | None) -> None:
    """Refuse a weight that is final only after the end of training: no epoch could be selected as the best.

    A schedule in steps is checked only where `max_steps` is set; otherwise a warning at the end of training tells.

    Raises:
        ValueError: the weight is final too late. Pydantic reports it.
    """
    for name, schedule in objective.weights.items():
        _require_final(name, schedule, epochs, max_steps)


def _require_final(name: str, schedule: ScheduleConfig, epochs: int, max_steps: int | None) -> None:
    if schedule.counts_steps and max_steps is None:
        return
    last = max_steps if schedule.counts_steps and max_steps is not None else epochs * _STEPS
    final = schedule.build(steps_per_epoch=_STEPS, total_steps=last).first_final_step
    # + 1 because a fraction of a step is rounded up.
    if final <= last + 1:
        return
    when, most = f"{final / _STEPS:g} epochs", f"epochs = {epochs}"
    if schedule.counts_steps:
        when, most = f"{final} steps", f"max_steps = {last}"
    raise ValueError(
        f"objective.{name} gets its final weight only after {when}, and training ends after {most}, so that no epoch "
        "could be selected as the best; let it rise earlier, or train longer"
    )


def require_autoencoder_first(objective: ObjectiveSettings, epochs: int, fresh_decoder: int) -> None:
    """Refuse a fresh decoder without epochs of an autoencoder (KL weight 0) before it: the encoder may have collapsed.

    Raises:
        ValueError: the KL weight is above 0 before the fresh decoder. Pydantic reports it.
    """
    wanted = f'{{ kind = "linear", start = {fresh_decoder}, end = {min(fresh_decoder + 3, epochs)}, unit = "epochs" }}'
    if not objective.weights and objective.trains_prior:
        # The objective for posteriors without a density, the only one that they can have.
        raise ValueError(
            f"fresh_decoder = {fresh_decoder} needs an autoencoder before it, and the objective {objective.kind} has "
            "no weight that could be 0; remove fresh_decoder"
        )
    for name, schedule in objective.weights.items():
        weight = schedule.build(steps_per_epoch=_STEPS, total_steps=epochs * _STEPS)
        # For a schedule in steps, all that is known is that an epoch has at least one step.
        steps = fresh_decoder * (1 if schedule.counts_steps else _STEPS)
        if any(weight(step) > 0.0 for step in range(steps)):
            raise ValueError(
                f"fresh_decoder = {fresh_decoder} needs an autoencoder in the epochs before it, and there "
                f"objective.{name} is above 0, so that the encoder may collapse first; set objective.{name} = {wanted}"
            )
