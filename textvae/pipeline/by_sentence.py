"""The numbers of each sentence that the stage `evaluate` writes, read again for paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.disk import shown_path
from textvae.errors import ModelError

if TYPE_CHECKING:
    from textvae.evaluation.paired import SentenceNLL

BY_SENTENCE = "by_sentence.arrow"
"""The file, in the stage's folder."""


def sentence_nll(folder: Path, results: Mapping[str, Any]) -> SentenceNLL:
    """The NLL of each sentence, as it was measured.

    Args:
        folder: a finished output of this stage.
        results: its numbers.

    Raises:
        ModelError: it has none.
    """
    import pyarrow as pa
    from pyarrow import feather

    from textvae.evaluation.paired import SentenceNLL

    try:
        found = feather.read_table(folder / BY_SENTENCE, columns=["sentence", "iw_nll"], memory_map=False)
    except (OSError, pa.ArrowException):
        found = None
    if found is None or "iw_nll" not in results:
        raise ModelError(
            f"{shown_path(folder.parent)} has no NLL by sentence (evaluate/{BY_SENTENCE}); run its stage evaluate, "
            "with a posterior that has a density."
        )
    exact = results.get("iw_nll_se") == 0
    samples = 0 if exact else int(results["iw_samples"])
    return SentenceNLL(found["iw_nll"].to_numpy(), samples, found["sentence"].to_numpy())
