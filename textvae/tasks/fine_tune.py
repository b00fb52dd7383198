"""Training the weights of a classifier by its labelled sentences alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from textvae.models import TextModel
from textvae.regularizers import ClassificationLoss
from textvae.training import OptimizerConfig

_JUDGED_EVERY = 20


def fine_tune(
    model: TextModel,
    loss: ClassificationLoss,
    optimizer: OptimizerConfig,
    *,
    steps: int,
    clip_norm: float,
    judge: Callable[[TextModel], float] | None = None,
) -> None:
    """Minimize the cross-entropy of the labelled sentences.

    It takes a minute at most where labels are few, and therefore begins anew after an interruption.

    Args:
        model: is trained in place.
        loss: draws labelled sentences for each step.
        optimizer: settings.
        steps: updates.
        clip_norm: to which gradients are clipped.
        judge: higher is better; the weights are kept of the step where it is highest, of every 20th, and of those
            before the first one. None: those of the last step.
    """
    parameters = [one for one in model.parameters() if one.requires_grad]
    updates = optimizer.build(parameters=parameters)
    best, kept = -float("inf"), None

    def compare() -> None:
        nonlocal best, kept
        if judge is not None and (value := judge(model)) > best:
            best, kept = value, {name: value_.detach().clone() for name, value_ in model.state_dict().items()}

    compare()
    model.train()
    for step in range(steps):
        updates.zero_grad()
        penalty: Tensor = loss.of_labelled(model, step)
        penalty.backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        updates.step()
        if (step + 1) % _JUDGED_EVERY == 0:
            compare()
            model.train()
    if kept is not None:
        model.load_state_dict(kept)
    model.eval()
