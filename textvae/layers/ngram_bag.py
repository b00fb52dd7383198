"""A linear layer on the words and n-grams of a sentence, weighted by TF-IDF."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from textvae.layers.word_dropout import words_of
from textvae.types import UNK_ID

_FACTORS = (1_000_003, 998_244_353, 19_260_817)
"""Of the hash of an n-gram: one for each token in it."""


class NgramBag(nn.Module):
    """Weights times the TF-IDF vector of a sentence's n-grams, whose length is 1.

    Words have places of their own. Longer n-grams share `buckets` places by a hash (Weinberger et al. 2009, arXiv
    0902.2206). Special tokens and unknown words, among them hidden ones, are in no n-gram. The weights begin as zero,
    and the inverse document frequencies as one.

    Args:
        vocab_size: V.
        outputs: C.
        longest: words of the longest n-grams, 1 to 3.
        buckets: places of the n-grams of two words and more.

    >>> bag = NgramBag(vocab_size=12, outputs=2, longest=2, buckets=50)
    >>> ids_BN, share_BN = bag.shares(torch.tensor([[1, 5, 6, 2]]))
    >>> ids_BN.shape, round(float(share_BN.square().sum()), 4)
    (torch.Size([1, 7]), 1.0)
    """

    idf_M: Tensor

    def __init__(self, vocab_size: int, outputs: int, longest: int = 2, buckets: int = 2**16) -> None:
        super().__init__()
        self.vocab_size, self.longest, self.buckets = vocab_size, longest, buckets
        self.places = vocab_size + (buckets if longest > 1 else 0)
        self.weight = nn.Parameter(torch.zeros(self.places, outputs))
        self.register_buffer("idf_M", torch.ones(self.places))

    def forward(self, tokens_BT: Int[Tensor, "B T"]) -> Float[Tensor, "B C"]:
        """Args:
        tokens_BT: BOS, words, EOS, padding.
        """
        ids_BN, share_BN = self.shares(tokens_BT)
        return embedding_bag(ids_BN, self.weight, per_sample_weights=share_BN.to(self.weight.dtype), mode="sum")

    def shares(self, tokens_BT: Int[Tensor, "B T"]) -> tuple[Int[Tensor, "B N"], Float[Tensor, "B N"]]:
        """The place of each n-gram, and its entry of the TF-IDF vector; 0 where there is no n-gram.

        An n-gram that occurs twice is there twice, each time with its entry for one.
        """
        ids_BN, valid_BN = self._ngrams(tokens_BT)
        entry_BN = self.idf_M[ids_BN] * valid_BN
        return ids_BN, entry_BN / entry_BN.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-12)

    def count(self, tokens_BT: Int[Tensor, "B T"]) -> Int[Tensor, " M"]:
        """In how many of these sentences each place occurs, by which `set_frequencies` is fed."""
        ids_BN, valid_BN = self._ngrams(tokens_BT)
        sorted_BN = torch.where(valid_BN, ids_BN, 0).sort(1).values
        # Of equal ones in a sentence the first; 0, where there is no n-gram, is none.
        first_BN = sorted_BN > torch.cat([torch.zeros_like(sorted_BN[:, :1]), sorted_BN[:, :-1]], 1)
        return sorted_BN[first_BN].bincount(minlength=self.places)

    def set_frequencies(self, counts_M: Int[Tensor, " M"], sentences: int) -> None:
        """Set the inverse document frequencies, log((1 + sentences) / (1 + count)) + 1."""
        self.idf_M.copy_(((1.0 + sentences) / (1.0 + counts_M)).log() + 1.0)

    def _ngrams(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        word_BT = words_of(tokens_BT) & (tokens_BT != UNK_ID)
        ids, valid = [tokens_BT], [word_BT]
        for size in range(2, min(self.longest, tokens_BT.shape[1]) + 1):
            width = tokens_BT.shape[1] - size + 1
            parts = [tokens_BT[:, start : start + width] for start in range(size)]
            mixed = torch.stack([part * factor for part, factor in zip(parts, _FACTORS[:size], strict=True)]).sum(0)
            ids.append(self.vocab_size + mixed % self.buckets)
            valid.append(torch.stack([word_BT[:, start : start + width] for start in range(size)]).all(0))
        valid_BN = torch.cat(valid, 1)
        return torch.cat(ids, 1).masked_fill(~valid_BN, 0), valid_BN
