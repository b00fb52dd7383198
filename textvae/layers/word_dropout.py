"""Word dropout, and where the words of sentences are."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID


def drop_words(tokens_BT: Int[Tensor, "B T"], rate: float) -> Int[Tensor, "B T"]:
    """Replace each input token by `<unk>` with probability `rate` (Bowman et al. 2016, section 3.2).

    BOS is never dropped, as it marks the beginning of the sentence. The caller applies this to the decoder's inputs
    only, never to targets, and only in training.

    >>> import torch
    >>> drop_words(torch.tensor([[1, 9, 8, 2, 0]]), 1.0).tolist()
    [[1, 3, 3, 3, 0]]
    """
    if rate == 0.0:
        return tokens_BT
    dropped = torch.rand(tokens_BT.shape, device=tokens_BT.device) < rate
    return tokens_BT.masked_fill(dropped & (tokens_BT != BOS_ID) & (tokens_BT != PAD_ID), UNK_ID)


def words_of(tokens_BT: Int[Tensor, "B T"]) -> Bool[Tensor, "B T"]:
    """Where the tokens of the sentences are, without BOS, EOS and padding.

    >>> import torch
    >>> words_of(torch.tensor([[1, 5, 3, 2, 0]])).tolist()
    [[False, True, True, False, False]]
    """
    return (tokens_BT != BOS_ID) & (tokens_BT != EOS_ID) & (tokens_BT != PAD_ID)
