"""Each text's label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from textvae.errors import ModelError
from textvae.mapping.verbs.base import Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class ClassifyVerb(Verb):
    """`label`, the likeliest one, and its `probability` q(y|x). It is deterministic.

    Attributes:
        confidence: the least probability of a label; where the likeliest one has less, `label` is null.
    """

    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}, "confidence": {"confidence": 0.01}}

    kind: Literal["classify"] = "classify"
    confidence: float = Field(default=0.0, ge=0, le=1)

    def model_of(self, run: str | Path) -> TextModel:
        from textvae.pipeline.run_folder import classifier_of

        return classifier_of(run)

    def check(self, model: TextModel) -> None:
        super().check(model)
        if not model.config.classifies:
            raise ModelError(
                f"a '{model.config.kind}' model cannot classify; use the run's classify/model, or add a [classify] "
                "table to the recipe of a corpus with labels."
            )

    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        return {"label": pa.string(), "probability": pa.float64()}

    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        from textvae.tasks.classify import label_probabilities
        from textvae.text.token_rows import TokenRows

        found_NC = label_probabilities(model, TokenRows(ids, rows))
        best_N = found_NC.argmax(1)
        stated_N = found_NC[np.arange(len(best_N)), best_N].astype(np.float64)
        known_N = stated_N >= self.confidence
        return {
            "label": [model.label_names[best] if known else None for best, known in zip(best_N, known_N, strict=True)],
            "probability": stated_N,
        }
