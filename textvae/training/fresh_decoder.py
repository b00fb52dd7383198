"""New weights for the decoder after an autoencoder has been trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from textvae.models import TextModel
from textvae.training.callback import Callback
from textvae.training.state import Progress
from textvae.training.validation import isolated_randomness


class FreshDecoder(Callback):
    """Before one step, reinitializes the decoder and clears the optimizer's state (Li et al. 2019, arXiv 1909.00868).

    That step is the first of its epoch. A training that resumes there repeats the reset with the same weights, so no
    state is saved.

    Args:
        model: whose decoder is reset.
        build_model: builds a model of the same settings with fresh weights.
        optimizer: of the training.
        at_step: the step before which the decoder is reset; 0 for never.
        progress: has the present step.
        seed: of the training.
    """

    def __init__(
        self,
        model: TextModel,
        build_model: Callable[[], TextModel],
        optimizer: torch.optim.Optimizer,
        *,
        at_step: int,
        progress: Progress,
        seed: int,
    ) -> None:
        self.model, self.build_model, self.optimizer = model, build_model, optimizer
        self.at_step, self.progress, self.seed = at_step, progress, seed

    def before_step(self, batches: list[np.ndarray]) -> None:
        if self.progress.step == self.at_step > 0:
            self.reset_decoder()

    def reset_decoder(self) -> None:
        """Reinitialize the decoder and clear the optimizer's state."""
        device = self.model.device
        with isolated_randomness(device):
            torch.manual_seed(self.seed + self.progress.step)
            fresh = self.build_model().decoder.to(device)
        with torch.no_grad():
            for old, new in zip(self.model.decoder.parameters(), fresh.parameters(), strict=True):
                old.copy_(new)
        self.optimizer.state.clear()
