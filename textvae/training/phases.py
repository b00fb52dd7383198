"""When the weight of the KL begins and ends, as far as settings tell before the corpus is known."""

from __future__ import annotations

from textvae.config import Component

_STEPS = 100
"""Of an imagined epoch: fine enough to tell when a schedule is where, in epochs."""


def require_final_weight(objective: Component, epochs: int, max_steps: int | None) -> None:
    """Refuse a weight that is final only after training has ended: no epoch could compete.

    Where the schedule counts steps, only `max_steps` can tell; the others are told by a warning at the end.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    name, schedule = weight_of(objective)
    if schedule is None:
        return
    counts_steps = getattr(schedule, "unit", "") == "steps"
    if counts_steps and max_steps is None:
        return
    last = max_steps if counts_steps and max_steps is not None else epochs * _STEPS
    final = schedule.build(steps_per_epoch=_STEPS, total_steps=last).first_final_step  # type: ignore[attr-defined]
    # A share of a step is rounded up.
    if final <= last + 1:
        return
    when, most = (f"{final} steps", f"max_steps = {last}") if counts_steps else (f"{final / _STEPS:g} epochs", "")
    raise ValueError(
        f"objective.{name} gets its final weight only after {when}, and training ends after "
        f"{most or f'epochs = {epochs}'}, so that no epoch could compete; let it rise earlier, or train longer"
    )


def require_autoencoder_first(objective: Component, epochs: int, fresh_decoder: int) -> None:
    """Refuse a fresh decoder without an autoencoder before it: the encoder would have collapsed by then.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    name, schedule = weight_of(objective)
    if objective.kind == "unregularized":
        return
    wanted = f'{{ kind = "linear", start = {fresh_decoder}, end = {min(fresh_decoder + 3, epochs)}, unit = "epochs" }}'
    if schedule is None:
        # That of a posterior without a density, which can have no other.
        raise ValueError(
            f"fresh_decoder = {fresh_decoder} needs an autoencoder before it, and the objective {objective.kind} has "
            "no weight that could be 0; remove fresh_decoder"
        )
    weight = schedule.build(steps_per_epoch=_STEPS, total_steps=epochs * _STEPS)  # type: ignore[attr-defined]
    # Of an epoch it is known that it has a step, and no more.
    steps = fresh_decoder * (1 if getattr(schedule, "unit", "") == "steps" else _STEPS)
    if any(weight(step) > 0.0 for step in range(steps)):
        raise ValueError(
            f"fresh_decoder = {fresh_decoder} needs an autoencoder in the epochs before it, and there objective.{name} "
            f"is above 0, so that the encoder may collapse first; set objective.{name} = {wanted}"
        )


def weight_of(objective: Component) -> tuple[str, Component | None]:
    """The schedule of an objective's KL weight, and the name of its setting.

    >>> from textvae.objectives import ELBOConfig, InfoVAEConfig, SteinConfig
    >>> [(name, schedule.kind) for name, schedule in map(weight_of, (ELBOConfig(), InfoVAEConfig()))]
    [('kl_weight', 'constant'), ('weight', 'constant')]
    >>> weight_of(SteinConfig())
    ('', None)
    """
    for name in ("kl_weight", "weight"):
        schedule = getattr(objective, name, None)
        if isinstance(schedule, Component):
            return name, schedule
    return "", None
