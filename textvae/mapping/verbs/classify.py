"""Each text's label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from textvae.errors import ModelError
from textvae.mapping.verbs.base import Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class ClassifyVerb(Verb):
    """`label`, the likeliest one, and its `probability` q(y|x). It is deterministic."""

    kind: Literal["classify"] = "classify"

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
        return {
            "label": [model.label_names[best] for best in best_N],
            "probability": found_NC[np.arange(len(best_N)), best_N].astype(np.float64),
        }
