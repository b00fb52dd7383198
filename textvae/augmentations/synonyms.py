"""Some words replaced by words of the same meaning, from a table of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.augmentations.base import AugmentationSettings, with_tokens
from textvae.errors import ConfigError
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import Batch


class SynonymsConfig(AugmentationSettings):
    """Settings of synonyms."""

    kind: Literal["synonyms"] = "synonyms"
    variants: ClassVar = {"": {"words": {"a": ("b", "c")}}, "always": {"words": {"a": ("b",)}, "rate": 1.0}}
    words: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict, description="word -> words that may stand in its place"
    )
    rate: float = Field(0.2, ge=0, le=1, description="share of the words of the table that are replaced")

    def build(self, tokenizer: Tokenizer | None) -> Synonyms:
        if tokenizer is None:
            raise ConfigError("synonyms are words, and the model has no tokenizer; give it one, or remove them.")
        return Synonyms(self.words, tokenizer, self.rate)


class Synonyms:
    """Each word of the table is replaced with probability `rate` by one of its synonyms, all equally likely.

    Words that are several tokens, or unknown, are left out: a token takes the place of a token.

    Args:
        words: word -> its synonyms.
        tokenizer: that knows the words.
        rate: of the words of the table.

    Raises:
        ConfigError: no word of the table and its synonym are a token each.

    >>> from textvae.text.tokenizers import WordConfig
    >>> tokenizer = WordConfig(vocab_size=9).train(["a good fine film"] * 2)
    >>> batch = Batch(torch.tensor([[1, *tokenizer.encode("a good film"), 2]]), torch.tensor([5]))
    >>> tokenizer.decode(Synonyms({"good": ("fine", "zzz")}, tokenizer, 1.0)(batch).tokens_BT[0])
    'a fine film'
    """

    def __init__(self, words: Mapping[str, Sequence[str]], tokenizer: Tokenizer, rate: float) -> None:
        self.rate = rate
        known = {word: _token(word, tokenizer) for word in {*words, *(one for many in words.values() for one in many)}}
        table = {
            known[word]: kept
            for word, many in words.items()
            if known[word] is not None and (kept := [known[one] for one in many if known[one] is not None])
        }
        if not table:
            raise ConfigError(
                f"none of the {len(words)} words of the synonyms, with a synonym, is one token of the tokenizer; give "
                "other words, or use a word tokenizer."
            )
        width = max(map(len, table.values()))
        self.table_VK = torch.arange(tokenizer.vocab_size).unsqueeze(1).repeat(1, width)
        self.counts_V = torch.zeros(tokenizer.vocab_size, dtype=torch.int64)
        for token, synonyms in table.items():
            self.table_VK[token, : len(synonyms)] = torch.tensor(synonyms)
            self.counts_V[token] = len(synonyms)

    def __call__(self, batch: Batch) -> Batch:
        tokens_BT = batch.tokens_BT
        table_VK, counts_V = (part.to(tokens_BT.device) for part in (self.table_VK, self.counts_V))
        counts_BT = counts_V[tokens_BT]
        drawn_BT = (_uniform(tokens_BT) * counts_BT).long().clamp_max((counts_BT - 1).clamp_min(0))
        replaced_BT = (counts_BT > 0) & (_uniform(tokens_BT) < self.rate)
        return with_tokens(batch, torch.where(replaced_BT, table_VK[tokens_BT, drawn_BT], tokens_BT))


def _uniform(like: Tensor) -> Tensor:
    return torch.rand(like.shape, device=like.device)


def _token(word: str, tokenizer: Tokenizer) -> int | None:
    ids = tokenizer.encode(word)
    return ids[0] if len(ids) == 1 and tokenizer.decode(ids) == tokenizer.prepare(word) else None
