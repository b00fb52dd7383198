"""The base of augmentations: tokens in, changed tokens out, the same for a CPU and a GPU."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

from jaxtyping import Int
from torch import Tensor

from textvae.config import Component
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import Batch

Augmentation = Callable[[Batch], Batch]
"""A batch with changed tokens and lengths, all else as it was. It draws from torch's random numbers, so that a training
that is resumed goes on with the same changes. A user's own function may be one."""


class AugmentationSettings(Component):
    """The settings of an augmentation."""

    @abstractmethod
    def build(self, tokenizer: Tokenizer | None) -> Augmentation:
        """Build the augmentation.

        Args:
            tokenizer: whose tokens are changed; None where texts were never tokenized by one of ours.

        Raises:
            ConfigError: the augmentation cannot be used with this tokenizer.
        """


class Augmentations:
    """Several augmentations, one after another.

    Args:
        parts: in their order.
    """

    def __init__(self, parts: Sequence[Augmentation]) -> None:
        self.parts = tuple(parts)

    def __call__(self, batch: Batch) -> Batch:
        for part in self.parts:
            batch = part(batch)
        return batch


def with_tokens(batch: Batch, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"] | None = None) -> Batch:
    """A batch with other tokens, and as wide as its longest sentence."""
    if lengths_B is None:
        return replace(batch, tokens_BT=tokens_BT)
    return replace(batch, tokens_BT=tokens_BT[:, : int(lengths_B.max())], lengths_B=lengths_B)
