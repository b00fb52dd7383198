"""Stopping before an update that is not a number."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from textvae.errors import TextVAEError


class DivergedError(TextVAEError):
    """The loss or its gradient is no longer a number."""


class DivergenceWatch:
    """Keeps a gradient that is not a finite number from the weights.

    On an accelerator the host would have to wait for the norm in every step. There the watch is deferred: the
    optimizer's own kernel skips that update and all later ones, and the next `check` raises the error.

    Args:
        device: where the gradients are.
        deferred: whether only `check` reads from the device.
        processes: how many there are.
        lr: the learning rate of the settings, for the message.
    """

    def __init__(self, device: torch.device, *, deferred: bool, processes: int, lr: float) -> None:
        self.deferred, self.processes, self.lr = deferred, processes, lr
        self.bad = torch.zeros((), device=device)  # 1 from the first gradient that is no number on
        self.bad_steps = torch.zeros((), device=device)  # how many steps that is ago
        self.unchecked: list[tuple[int, np.ndarray]] = []

    def before_update(
        self, optimizer: torch.optim.Optimizer, *, step: int, indices: np.ndarray, loss: Tensor, grad_norm: Tensor
    ) -> None:
        """Look at a step between its backward pass and its update.

        Args:
            optimizer: what makes the update; one of torch's fused ones, where this watch is deferred.
            step: its number.
            indices: its training examples.
            loss: of this process.
            grad_norm: of all processes together.

        Raises:
            DivergedError: a number is not finite, and the watch not deferred.
        """
        if not self.deferred:
            # A loss is this process's own, the norm is everyone's: several processes must not disagree here.
            watched = grad_norm + loss if self.processes == 1 else grad_norm
            if not torch.isfinite(watched):
                raise self._error(step, indices)
            return
        self.bad = torch.maximum(self.bad, (~torch.isfinite(grad_norm)).float())
        self.bad_steps = self.bad_steps + self.bad
        self.unchecked.append((step, indices))
        # The contract between torch's GradScaler and its fused optimizers: a step with found_inf changes nothing.
        optimizer.grad_scale, optimizer.found_inf = None, self.bad  # type: ignore[attr-defined]

    def check(self) -> None:
        """Read from the device whether a step since the last look was bad, where that was deferred.

        Raises:
            DivergedError: one was.
        """
        if self.unchecked and (ago := int(self.bad_steps)):
            raise self._error(*self.unchecked[-ago])
        self.unchecked.clear()

    def _error(self, step: int, indices: np.ndarray) -> DivergedError:
        shown = ", ".join(map(str, indices[:20].tolist())) + (", ..." if len(indices) > 20 else "")
        return DivergedError(
            f"the loss or its gradient is not a finite number at step {step} (training examples {shown}); the weights "
            f"are as they were before it. Lower train.optimizer.lr ({self.lr:g}), set train.warmup or a smaller "
            "train.clip_norm, or look at these sentences."
        )
