"""Turning a decoder and latent vectors into sentences.

Only the stepping methods of a decoder (`init_state`, `step`, `select`) are used here, so every decoder can be
decoded. A language model is decoded with latent vectors of width 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from textvae.config import one_of
from textvae.generation.base import Decoding, Generated, SteppingDecoder, inference
from textvae.generation.beam import BeamConfig, Hypothesis, beam_search
from textvae.generation.constrained_beam import Blank, Filling, Slot, constrained_beam
from textvae.generation.greedy import GreedyConfig
from textvae.generation.randomness import RowNoise, WordNoise, word_generator
from textvae.generation.sampling import SamplingConfig
from textvae.types import Context

if TYPE_CHECKING:
    DecodingConfig: TypeAlias = Decoding
else:
    DecodingConfig = one_of(Decoding, globals())
"""How sentences are decoded, chosen by `kind`: greedy, sample, beam."""

__all__ = [
    "BeamConfig",
    "Blank",
    "Decoding",
    "DecodingConfig",
    "Filling",
    "Generated",
    "GreedyConfig",
    "Hypothesis",
    "RowNoise",
    "SamplingConfig",
    "Slot",
    "SteppingDecoder",
    "WordNoise",
    "beam_search",
    "constrained_beam",
    "generate",
    "inference",
    "word_generator",
]


def generate(
    decoder: SteppingDecoder,
    z_ND: Tensor,
    decoding: Decoding,
    *,
    context: Context | None = None,
    generator: WordNoise | None = None,
) -> Generated:
    """Decode one sentence for each row of z.

    Args:
        decoder: anything with the methods of `SteppingDecoder`; dropout is off while it decodes.
        z_ND: latent vectors [N, D]; [N, 0] for a language model.
        decoding: greedy, sample or beam settings.
        context: conditions, one row for each sentence.
        generator: source of randomness for `sample`; the same seed gives the same sentences. With a `RowNoise` a
            sentence does not depend on the others.

    Raises:
        ConfigError: `max_tokens` is above the longest sentence that the decoder was built for.
    """
    with inference(decoder):
        return decoding.decode(decoder, z_ND, context=context, generator=generator)
