"""Each text's reconstruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from textvae.generation import DecodingConfig, GreedyConfig
from textvae.mapping.verbs.base import Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class ReconstructVerb(Verb):
    """`reconstruction`: the sentence decoded from the center of q(z|x).

    Attributes:
        decoding: how it is decoded.
    """

    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}, "sample": {"decoding": {"kind": "sample"}}}

    kind: Literal["reconstruct"] = "reconstruct"
    decoding: DecodingConfig = Field(default_factory=GreedyConfig)

    def check(self, model: TextModel) -> None:
        from textvae.tasks.sentences import require_latent

        super().check(model)
        require_latent(model, "reconstruct")

    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        return {"reconstruction": pa.string()}

    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        from textvae.tasks.reconstruct import reconstruct

        made = reconstruct(model, texts, decoding=self.decoding, overlong="truncate", seed=seed, places=rows.tolist())
        return {"reconstruction": [one.reconstruction for one in made]}
