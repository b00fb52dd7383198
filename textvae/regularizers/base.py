"""The interface of regularizers: penalties that, unlike objectives, get the model itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from textvae.config import Component
from textvae.models import TextModel
from textvae.types import Batch, LatentTerms

Regularizer = Callable[[TextModel, Batch, LatentTerms, int], dict[str, Tensor]]
"""model, batch, terms, step -> penalties by name, each [B] in nats per sentence, added to the loss."""


class RegularizerSettings(Component):
    """The settings of a regularizer that a recipe can name, with the traits that other parts read before training.

    Attributes:
        needs_classifier: whether it is for models with a classifier alone.
        reads_terms: whether its penalty depends on the terms, beside the model and the batch.
    """

    needs_classifier: ClassVar[bool] = False
    reads_terms: ClassVar[bool] = True

    @abstractmethod
    def build(self, *, vocab_size: int, latent_dim: int, steps_per_epoch: int, total_steps: int) -> nn.Module:
        """Build the `Regularizer`, a module whose parameters are trained with the model's and kept in checkpoints.

        Args:
            vocab_size: V.
            latent_dim: D.
            steps_per_epoch: of the training, which resolves the times of schedules.
            total_steps: likewise.

        Raises:
            ConfigError: the regularizer cannot be used with such a model.
        """
