"""The most probable token at every step."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from textvae.generation.base import Decoding, Generated, SteppingDecoder
from textvae.generation.randomness import WordNoise
from textvae.generation.stepping import decode_stepwise
from textvae.types import Context


class GreedyConfig(Decoding):
    """Always the most probable next token: fast and deterministic, but not the most probable sentence.

    `beam` searches for the most probable sentence, the mode of p(x|z); greedy is a beam of width 1.

    >>> GreedyConfig(max_tokens=20).kind
    'greedy'
    """

    kind: Literal["greedy"] = "greedy"

    def decode(
        self,
        decoder: SteppingDecoder,
        z_ND: Tensor,
        *,
        context: Context | None = None,
        generator: WordNoise | None = None,
    ) -> Generated:
        return decode_stepwise(
            decoder,
            z_ND,
            lambda log_prob_MV, _: log_prob_MV.argmax(-1),
            context=context,
            max_tokens=self.max_tokens,
            allow_unk=self.allow_unk,
        )
