"""Turning a decoder and latent vectors into sentences.

Only the stepping methods of a decoder (`init_state`, `step`, `select`) are used here, so every decoder can be
decoded. A language model is decoded with latent vectors of width 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from textvae.arguments import shown
from textvae.config import kinds_of, one_of, parse
from textvae.errors import ConfigError
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

GivenDecoding: TypeAlias = Decoding | str | Mapping[str, object]
"""A decoding as callers give it: its settings; its kind, such as "beam"; or a table as in a recipe, such as
{"kind": "sample", "temperature": 0.8}. `checked_decoding` makes settings of them."""

__all__ = [
    "BeamConfig",
    "Blank",
    "Decoding",
    "DecodingConfig",
    "Filling",
    "Generated",
    "GivenDecoding",
    "GreedyConfig",
    "Hypothesis",
    "RowNoise",
    "SamplingConfig",
    "Slot",
    "SteppingDecoder",
    "WordNoise",
    "beam_search",
    "checked_decoding",
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


def checked_decoding(decoding: GivenDecoding | None) -> Decoding:
    """The settings of a decoding that a caller gave; greedy when None.

    Raises:
        ConfigError: there is no such kind, or it does not have these settings.

    >>> checked_decoding({"kind": "beam", "width": 3}).width, checked_decoding("beam").width
    (3, 5)
    >>> checked_decoding("beams")
    Traceback (most recent call last):
    textvae.errors.ConfigError: decoding is 'beams'; expected a kind (beam, greedy, sample), a table such as \
{'kind': 'beam', 'width': 5}, or settings such as textvae.generation.BeamConfig(width=5).
    """
    if decoding is None:
        return GreedyConfig()
    if isinstance(decoding, Decoding):
        return decoding
    table = {"kind": decoding} if isinstance(decoding, str) else decoding
    kinds = kinds_of(DecodingConfig, Decoding)
    if not isinstance(table, Mapping) or table.get("kind") not in list(kinds):
        raise ConfigError(
            f"decoding is {shown(decoding)}; expected a kind ({', '.join(kinds)}), a table such as "
            "{'kind': 'beam', 'width': 5}, or settings such as textvae.generation.BeamConfig(width=5)."
        )
    return parse(DecodingConfig, dict(table), "decoding")
