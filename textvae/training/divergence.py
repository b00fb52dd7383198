"""Stops training before an update whose loss or gradient is NaN or infinite."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from textvae.errors import TextVAEError


class DivergedError(TextVAEError):
    """The loss or its gradient is NaN or infinite."""


class DivergenceWatch:
    """Prevents updates by a gradient that is NaN or infinite.

    On an accelerator the host would have to wait for the gradient's norm in every step. There the watch is deferred:
    the optimizer's kernel skips that update and all later ones, and the next `check` raises the error.

    Args:
        device: where the gradients are.
        deferred: whether only `check` reads from the device.
        processes: their number.
        lr: the learning rate of the settings, for the message.
    """

    def __init__(self, device: torch.device, *, deferred: bool, processes: int, lr: float) -> None:
        self.deferred, self.processes, self.lr = deferred, processes, lr
        self.bad = torch.zeros((), device=device)  # 1 from the first step whose gradient is not finite
        self.bad_steps = torch.zeros((), device=device)  # number of steps since then, that step included
        self.unchecked: list[tuple[int, np.ndarray]] = []

    def before_update(
        self, optimizer: torch.optim.Optimizer, *, step: int, indices: np.ndarray, loss: Tensor, grad_norm: Tensor
    ) -> None:
        """Check a step between its backward pass and its update.

        Args:
            optimizer: makes the update; where the watch is deferred it must be one of torch's fused optimizers.
            step: its number.
            indices: its training examples.
            loss: of this process.
            grad_norm: of all processes together.

        Raises:
            DivergedError: the loss or the norm is not finite, and the watch is not deferred.
        """
        if not self.deferred:
            # Several processes must come to the same decision. They share the norm, but each has its own loss.
            watched = grad_norm + loss if self.processes == 1 else grad_norm
            if not torch.isfinite(watched):
                raise self._error(step, indices)
            return
        self.bad = torch.maximum(self.bad, (~torch.isfinite(grad_norm)).float())
        self.bad_steps = self.bad_steps + self.bad
        self.unchecked.append((step, indices))
        # As torch's GradScaler does: a fused optimizer makes no update where found_inf is 1.
        optimizer.grad_scale, optimizer.found_inf = None, self.bad  # type: ignore[attr-defined]

    def check(self) -> None:
        """Read from the device whether a gradient since the last check was not finite, where the watch is deferred.

        Raises:
            DivergedError: a gradient was not finite.
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
