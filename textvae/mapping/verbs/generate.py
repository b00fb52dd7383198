"""A new sentence near each text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from textvae.generation import DecodingConfig, SamplingConfig
from textvae.mapping.verbs.base import Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class GenerateVerb(Verb):
    """`generated`: a sentence decoded from a draw of q(z|x), as the first step of `textvae generate --start`.

    Attributes:
        decoding: how it is decoded; by sampling when absent.
    """

    kind: Literal["generate"] = "generate"
    decoding: DecodingConfig = Field(default_factory=SamplingConfig)

    def check(self, model: TextModel) -> None:
        from textvae.tasks.sentences import require_latent

        super().check(model)
        require_latent(model, "generate from texts")

    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        return {"generated": pa.string()}

    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        from textvae.tasks.reconstruct import reconstruct

        made = reconstruct(
            model,
            texts,
            decoding=self.decoding,
            sample=True,
            overlong="truncate",
            seed=seed,
            places=rows.tolist(),
        )
        return {"generated": [one.reconstruction for one in made]}
