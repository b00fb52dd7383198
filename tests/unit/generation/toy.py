"""Decoders small enough to enumerate every sentence they can say."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.components import DECODERS, scramble
from textvae.types import BOS_ID, EOS_ID, UNK_ID

VOCAB, LATENT, LONGEST = 7, 3, 4
WORDS = (4, 5, 6)


@dataclass
class TableState:
    row_N: Tensor


class TableDecoder:
    """p(next | last, z) from a table: a Markov chain for each sign of the first latent dimension."""

    latent_dim, max_tokens = LATENT, None

    def __init__(self, seed: int = 0, vocab: int = VOCAB) -> None:
        generator = torch.Generator().manual_seed(seed)
        table = 1.5 * torch.randn(2, vocab, vocab, generator=generator, dtype=torch.float64)
        table[..., :2] = -torch.inf
        self.log_prob_ZVV = table.log_softmax(-1)

    def init_state(self, z_ND: Tensor, context: object = None) -> TableState:
        return TableState((z_ND[:, 0] > 0).long() if z_ND.shape[1] else torch.zeros(len(z_ND), dtype=torch.int64))

    def step(self, token_N: Tensor, state: TableState) -> tuple[Tensor, TableState]:
        return self.log_prob_ZVV[state.row_N, token_N], state

    def select(self, state: TableState, index_M: Tensor) -> TableState:
        return TableState(state.row_N[index_M])

    def log_prob(self, tokens_BT: Tensor, z_SBD: Tensor, context: object = None) -> Tensor:
        row_SB = (z_SBD[..., 0] > 0).long()
        scores = self.log_prob_ZVV[row_SB.unsqueeze(-1), tokens_BT[:, :-1], tokens_BT[:, 1:]]
        return torch.where(tokens_BT[:, 1:] != 0, scores, 0.0).sum(-1)


NAMES = ["table", "lstm-both-2-layers", "gru-both", "lstm-inputless", "transformer-prefix", "transformer-cross"]


def build(name: str, seed: int = 0):
    """A decoder of the list, with weights large enough for its sentences to differ."""
    if name == "table":
        return TableDecoder(seed)
    decoder = DECODERS[name].build(vocab_size=VOCAB, latent_dim=LATENT, max_tokens=LONGEST)
    return scramble(decoder, seed, 0.8).double().eval()


def codes(rows: int, seed: int = 1) -> Tensor:
    return torch.randn(rows, LATENT, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pad(sentences: list[list[int]] | list[tuple[int, ...]], end: bool = True) -> Tensor:
    """BOS, words, EOS (unless unfinished), padding."""
    rows = [[BOS_ID, *words] + [EOS_ID] * end for words in sentences]
    longest = max(map(len, rows))
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def every_sentence(longest: int = LONGEST, words: tuple[int, ...] = WORDS) -> list[tuple[int, ...]]:
    return [s for n in range(longest + 1) for s in itertools.product(words, repeat=n)]


def log_prob(decoder, sentences, z_D: Tensor, end: bool = True) -> Tensor:
    """log p(x|z) of each sentence under one code, by teacher forcing."""
    with torch.no_grad():
        return decoder.log_prob(pad(sentences, end), z_D.expand(1, len(sentences), -1))[0]


assert UNK_ID not in WORDS
