"""Scoring: how probable each sentence is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from textvae.arguments import checked_count
from textvae.config import MAX_SAMPLES
from textvae.errors import ModelError
from textvae.evaluation.likelihood import likelihood
from textvae.models import TextModel
from textvae.results import Score
from textvae.text.batching import checked_ids
from textvae.text.given import GivenOverlong, checked_texts
from textvae.text.token_rows import TokenRows


def score(
    model: TextModel,
    texts: Iterable[str],
    *,
    samples: int | None = None,
    overlong: GivenOverlong = "error",
    seed: int = 0,
) -> list[Score]:
    """Bounds on the log-likelihood of each text.

    A text's samples belong to its place among the texts, so its score does not depend on the other texts, but for
    rounding.

    Args:
        model: any model with its tokenizer.
        texts: sentences.
        samples: K of the importance-weighted bound; None for the ELBO alone, by one sample.
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate"); their score is that of the part that was read, as a whole sentence.
        seed: of the samples.

    Raises:
        DataError: a sentence is empty, or too long.
        ModelError: the posterior has no density, so that there is no bound.
    """
    texts = checked_texts(texts)
    rows = TokenRows(checked_ids(texts, model.require_tokenizer(), model.max_tokens, overlong=overlong))
    found = bounds(model, rows, samples=samples, seed=seed)
    iw_nll = found.get("iw_nll")
    return [
        Score(text, int(tokens), float(elbo_nll), None if iw_nll is None else float(iw_nll[place]))
        for place, (text, tokens, elbo_nll) in enumerate(zip(texts, rows.lengths - 1, found["elbo_nll"], strict=True))
    ]


def bounds(model: TextModel, rows: TokenRows, *, samples: int | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """`elbo_nll` of each sentence, and `iw_nll` where samples were asked for, float64 [N], nats.

    Args:
        model: any model.
        rows: sentences; their noise belongs to their numbers (`TokenRows.example_ids`).
        samples: K of the importance-weighted bound; None for the ELBO alone.
        seed: of the samples.

    Raises:
        ModelError: the posterior has no density, so that there is no bound.
    """
    if samples is not None:
        samples = checked_count(samples, "samples", 1, MAX_SAMPLES)
    if not model.config.has_density:
        raise ModelError(
            "this model's posterior has no density, so it has no bound on log p(x) by which a text could be scored; "
            "measure it with `textvae evaluate --ais`, or train another posterior."
        )
    measured = likelihood(model, rows, num_samples=samples or 1, seed=seed)
    assert measured.elbo_nll is not None and measured.iw_nll is not None
    found = {"elbo_nll": measured.elbo_nll}
    return found if samples is None else {**found, "iw_nll": measured.iw_nll}
