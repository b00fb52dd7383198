"""Each text's code: the center of its posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from textvae.mapping.verbs.base import Verb

if TYPE_CHECKING:
    from textvae.models import TextModel


class EncodeVerb(Verb):
    """`z`: the center of q(z|x), D numbers (`LatentDistribution.center`). It is deterministic."""

    kind: Literal["encode"] = "encode"

    def check(self, model: TextModel) -> None:
        from textvae.tasks.sentences import require_latent

        super().check(model)
        require_latent(model, "encode")

    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        return {"z": pa.list_(pa.float32())}

    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        from textvae.tasks.encode import encode
        from textvae.text.token_rows import TokenRows

        z_ND = encode(model, TokenRows(ids, rows))
        offsets = np.arange(len(z_ND) + 1, dtype=np.int32) * z_ND.shape[1]
        return {"z": pa.ListArray.from_arrays(pa.array(offsets), pa.array(z_ND.ravel()))}
