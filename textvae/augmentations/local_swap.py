"""Tokens in a slightly different order."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from textvae.augmentations.base import AugmentationSettings, with_tokens
from textvae.config import MAX_TOKENS
from textvae.layers import words_of
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import BOS_ID, Batch


class LocalSwapConfig(AugmentationSettings):
    """Settings of local swaps."""

    kind: Literal["local_swap"] = "local_swap"
    variants: ClassVar = {"": {}, "far": {"distance": 5}}
    distance: int = Field(3, ge=0, le=MAX_TOKENS, description="places by which a token moves, at most")

    def build(self, tokenizer: Tokenizer | None) -> LocalSwap:
        return LocalSwap(self.distance)


class LocalSwap:
    """A random order in which no token is further than `distance` places from its own.

    Tokens are sorted by their place plus a uniform number below distance + 1 (Lample et al. 2018, arXiv 1711.00043).

    Args:
        distance: places, at most.

    >>> batch = Batch(torch.tensor([[1, 5, 6, 7, 2, 0]]), torch.tensor([5]))
    >>> LocalSwap(0)(batch).tokens_BT.tolist(), sorted(LocalSwap(2)(batch).tokens_BT[0].tolist())
    ([[1, 5, 6, 7, 2, 0]], [0, 1, 2, 5, 6, 7])
    """

    def __init__(self, distance: int) -> None:
        self.distance = distance

    def __call__(self, batch: Batch) -> Batch:
        tokens_BT = batch.tokens_BT
        place_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device, dtype=torch.float32)
        moved_BT = place_T + (self.distance + 1) * torch.rand(tokens_BT.shape, device=tokens_BT.device)
        # BOS stays before, EOS and padding behind all words.
        fixed_BT = torch.where(tokens_BT == BOS_ID, -1.0, place_T + tokens_BT.shape[1] + self.distance + 1)
        key_BT = torch.where(words_of(tokens_BT), moved_BT, fixed_BT)
        return with_tokens(batch, tokens_BT.gather(1, key_BT.argsort(dim=1, stable=True)))
