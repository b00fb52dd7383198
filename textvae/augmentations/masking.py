"""Some tokens hidden."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from textvae.augmentations.base import AugmentationSettings, with_tokens, words_of
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import UNK_ID, Batch


class MaskingConfig(AugmentationSettings):
    """Settings of masking."""

    kind: Literal["masking"] = "masking"
    variants: ClassVar = {"": {}, "half": {"rate": 0.5}}
    rate: float = Field(0.15, ge=0, lt=1, description="share of the tokens that are hidden")

    def build(self, tokenizer: Tokenizer | None) -> Masking:
        return Masking(self.rate)


class Masking:
    """Each token becomes `<unk>` with probability `rate`.

    Args:
        rate: of the tokens.

    >>> batch = Batch(torch.tensor([[1, 5, 6, 2]]), torch.tensor([4]))
    >>> Masking(0.999999)(batch).tokens_BT.tolist()
    [[1, 3, 3, 2]]
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, batch: Batch) -> Batch:
        tokens_BT = batch.tokens_BT
        hidden_BT = words_of(tokens_BT) & (torch.rand(tokens_BT.shape, device=tokens_BT.device) < self.rate)
        return with_tokens(batch, tokens_BT.masked_fill(hidden_BT, UNK_ID))
