"""The contract of a regularizer: the one slot in training that sees a model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from textvae.config import Component
from textvae.models import TextModel
from textvae.types import Batch, LatentTerms

Regularizer = Callable[[TextModel, Batch, LatentTerms, int], dict[str, Tensor]]
"""model, batch, terms, step -> penalties by name, each [B] in nats per sentence, added to the loss."""


class RegularizerSettings(Component):
    """The settings of a regularizer that a recipe can name."""

    @abstractmethod
    def build(self, *, vocab_size: int, latent_dim: int) -> nn.Module:
        """A `Regularizer` that is a module: its parameters are trained beside the model's and kept in checkpoints.

        Args:
            vocab_size: V.
            latent_dim: D.

        Raises:
            ConfigError: it does not suit such a model.
        """
