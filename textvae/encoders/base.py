"""The base classes of encoders, which turn tokens into one feature vector for each sentence, and of their settings."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component


class EncoderSettings(Component):
    """The settings of an encoder, with the traits that other parts read before it is built."""

    @property
    def reads_last_state(self) -> bool:
        """Whether the features are only the state at the last word, which tends to forget the first words."""
        return False

    @abstractmethod
    def build(self, *, vocab_size: int, max_tokens: int | None = None) -> Encoder:
        """Build the encoder with new parameters.

        Args:
            vocab_size: V.
            max_tokens: the longest sentence in tokens, EOS not counted; None for a default.
        """


class Encoder(nn.Module):
    """tokens -> features.

    An encoder reads the words and EOS, not BOS. Its features must not depend on padding or on the other sentences of
    the batch.

    Attributes:
        feature_dim: H.
    """

    feature_dim: int

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        """Args:
        tokens_BT: BOS, words, EOS, padding.
        lengths_B: valid tokens of each row, BOS and EOS included.
        """
        raise NotImplementedError
