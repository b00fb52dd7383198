"""The contract of an encoder: tokens in, one feature vector for each sentence out."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component


class EncoderSettings(Component):
    """The settings of an encoder, and what they tell of it before it is built."""

    @property
    def reads_last_state(self) -> bool:
        """Whether its features are the state at the last word alone, in which early words are forgotten."""
        return False

    @abstractmethod
    def build(self, *, vocab_size: int, max_tokens: int | None = None) -> Encoder:
        """The encoder, with fresh parameters.

        Args:
            vocab_size: V.
            max_tokens: longest sentence, EOS not counted.
        """


class Encoder(nn.Module):
    """tokens -> features.

    An encoder reads the words and EOS, not BOS, and its features may depend neither on padding nor on
    the other sentences of the batch.
    """

    feature_dim: int

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        """Args:
        tokens_BT: BOS, words, EOS, padding.
        lengths_B: valid tokens of each row, BOS and EOS included.
        """
        raise NotImplementedError
