"""Each text's score: upper bounds on -log p(x)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from textvae.config import MAX_SAMPLES
from textvae.errors import ModelError
from textvae.mapping.verbs.base import Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class ScoreVerb(Verb):
    """`elbo_nll`: minus the ELBO, nats; with `samples` also `iw_nll`. Of a language model both are the exact NLL.

    Attributes:
        samples: K of the importance-weighted bound; None for the ELBO alone, by one sample of z.
    """

    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}, "samples": {"samples": 3}}

    kind: Literal["score"] = "score"
    samples: int | None = Field(default=None, ge=1, le=MAX_SAMPLES)

    def check(self, model: TextModel) -> None:
        super().check(model)
        if not model.config.has_density:
            raise ModelError(
                "this model's posterior has no density, so it has no bound on log p(x) by which a text could be "
                "scored; measure it with `textvae evaluate --ais`, or train another posterior."
            )

    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        names = ("elbo_nll",) if self.samples is None else ("elbo_nll", "iw_nll")
        return dict.fromkeys(names, pa.float64())

    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        from textvae.tasks.score import bounds
        from textvae.text.token_rows import TokenRows

        return bounds(model, TokenRows(ids, rows), samples=self.samples, seed=seed)
