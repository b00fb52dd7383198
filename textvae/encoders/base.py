"""The base classes of encoders, which turn tokens into one feature vector for each sentence, and of their settings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component
from textvae.text.tokenizers.base import Tokenizer


class EncoderSettings(Component):
    """The settings of an encoder, with the traits that other parts read before it is built.

    Attributes:
        file_names: the names of all files that `Encoder.own_files` may have.
    """

    file_names: ClassVar[tuple[str, ...]] = ()

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

    def with_files(self, files: Mapping[str, bytes]) -> EncoderSettings:
        """These settings for building an encoder whose weights are read afterwards.

        Args:
            files: what `Encoder.own_files` gave when the model was saved.
        """
        return self


class Encoder(nn.Module):
    """tokens -> features.

    An encoder reads the words and EOS, not BOS. Its features must not depend on padding or on the other sentences of
    the batch.

    Attributes:
        feature_dim: H.
        tokenizer: for an encoder that reads text; set by the model.
    """

    feature_dim: int
    tokenizer: Tokenizer | None = None

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        """Args:
        tokens_BT: BOS, words, EOS, padding.
        lengths_B: valid tokens of each row, BOS and EOS included.
        """
        raise NotImplementedError

    def own_files(self) -> Mapping[str, bytes]:
        """Files by name without which the encoder cannot be built again; they are saved in the model's folder."""
        return {}
