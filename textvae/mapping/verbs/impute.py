"""Each text with its blanks filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from textvae.config import MAX_BEAM, MAX_PARTS
from textvae.errors import DataError
from textvae.mapping.verbs.base import Reading, Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class ImputeVerb(Verb):
    """`filled`: the text with the best words in its blanks, `___` for a word and `___*` for a span.

    Attributes:
        rounds: alternations between z and the blanks; as in the run's recipe when None.
        width: hypotheses kept where a blank begins; likewise.
        expand: this many times `width` are kept while the words to the right of a blank are read; likewise.
    """

    kind: Literal["impute"] = "impute"
    rounds: int | None = Field(default=None, ge=1, le=MAX_PARTS)
    width: int | None = Field(default=None, ge=1, le=MAX_BEAM)
    expand: int | None = Field(default=None, ge=1, le=MAX_PARTS)

    def set_by(self, run: str | Path) -> Verb:
        from textvae.pipeline.run_folder import table_of

        table = table_of(run, "impute")
        search = ("rounds", "width", "expand")
        return self.model_copy(
            update={name: table[name] for name in search if getattr(self, name) is None and name in table}
        )

    def check(self, model: TextModel) -> None:
        from textvae.tasks.sentences import require_free_prior, require_unlabeled

        super().check(model)
        require_unlabeled(model, "impute")
        require_free_prior(model, "impute")

    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        return {"filled": pa.string()}

    def read(self, model: TextModel, texts: Sequence[str]) -> list[Reading]:
        from textvae.generation.template import template_of
        from textvae.tasks.impute import MAX_SPAN

        most = model.max_tokens
        readings = []
        for text in texts:
            try:
                template = template_of(
                    text,
                    model.require_tokenizer(),
                    max_tokens=most,
                    max_span=min(MAX_SPAN, most),
                    overlong="truncate",
                )
            except DataError as error:
                readings.append(Reading(problem=str(error)))
            else:
                readings.append(Reading(range(len(template.slots)), template.tokens))
        return readings

    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        from textvae.tasks.impute import impute

        search = {name: value for name in ("rounds", "width", "expand") if (value := getattr(self, name)) is not None}
        found = impute(model, texts, answers=1, overlong="truncate", seed=seed, places=rows.tolist(), **search)
        return {"filled": [one.answers[0].text if one.answers else None for one in found]}
