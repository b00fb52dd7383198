"""Some tokens hidden."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from textvae.augmentations.base import AugmentationSettings, with_tokens
from textvae.layers import drop_words, words_of
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import Batch


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
        # EOS stays: here it is no input of a decoder, but the end of the sentence.
        return with_tokens(batch, torch.where(words_of(tokens_BT), drop_words(tokens_BT, self.rate), tokens_BT))
