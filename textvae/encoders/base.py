"""The contract of an encoder: tokens in, one feature vector for each sentence out."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn


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
