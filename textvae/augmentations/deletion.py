"""Some tokens left out."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from textvae.augmentations.base import AugmentationSettings, with_tokens
from textvae.layers import words_of
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import PAD_ID, Batch


class DeletionConfig(AugmentationSettings):
    """Settings of deletion."""

    kind: Literal["deletion"] = "deletion"
    variants: ClassVar = {"": {}, "half": {"rate": 0.5}}
    rate: float = Field(0.1, ge=0, lt=1, description="share of the tokens that are left out")

    def build(self, tokenizer: Tokenizer | None) -> Deletion:
        return Deletion(self.rate)


class Deletion:
    """Each token is left out with probability `rate`. A sentence that would lose all of its tokens stays as it is.

    Args:
        rate: of the tokens.

    >>> batch = Batch(torch.tensor([[1, 5, 6, 7, 2]]), torch.tensor([5]))
    >>> Deletion(0.0)(batch).tokens_BT.tolist()
    [[1, 5, 6, 7, 2]]
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, batch: Batch) -> Batch:
        tokens_BT = batch.tokens_BT
        words_BT = words_of(tokens_BT)
        gone_BT = words_BT & (torch.rand(tokens_BT.shape, device=tokens_BT.device) < self.rate)
        gone_BT &= (words_BT & ~gone_BT).any(1, keepdim=True)
        # What stays moves to the left, in its order.
        order_BT = gone_BT.to(torch.int8).argsort(dim=1, stable=True)
        kept_BT = tokens_BT.masked_fill(gone_BT, PAD_ID).gather(1, order_BT)
        return with_tokens(batch, kept_BT, batch.lengths_B - gone_BT.sum(1))
