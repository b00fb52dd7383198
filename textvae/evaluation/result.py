"""The result of an evaluation: the metrics of `report.json`, and the examples and curves of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from textvae.disk import no_number


@dataclass(frozen=True)
class Example:
    """A sentence and its reconstruction.

    Attributes:
        text: the sentence, as the corpus has it.
        reconstruction: of it, as by `Tokenizer.show`.
        exact: whether all tokens are the same.
    """

    text: str
    reconstruction: str
    exact: bool


class Evaluation(dict[str, Any]):
    """The metrics of `report.json` by name, as a dict. A metric that was not measured is absent.

    Attributes:
        curve: rows `{"iw_samples", "iw_nll", "iw_nll_se"}`, the bound by its number of samples.
        rate_distortion: for a hierarchical code, rate and distortion of its first k levels; see `textvae.evaluation.
            rate_distortion` for the rows. Empty for other models.
        latent_means: posterior means, float32 [N, D], or None.
        labels: class of each of these sentences, int64 [N], -1 for none.
        indices: their places in the corpus, [N].
        by_sentence: metrics of each sentence, [N]: `sentence` (its place in the corpus), `tokens`, `iw_nll`,
            `elbo_nll`, `rec_nll`, `kl`. Two models are compared by paired differences of these.
        reconstructions: some sentences and their reconstructions (needs a tokenizer).
        samples: sentences from the prior (needs a tokenizer).
    """

    curve: list[dict[str, Any]]
    rate_distortion: list[dict[str, Any]]
    latent_means: np.ndarray | None
    labels: np.ndarray | None
    indices: np.ndarray
    by_sentence: dict[str, np.ndarray]
    reconstructions: list[Example]
    samples: list[str]

    def __init__(self, indices: np.ndarray) -> None:
        super().__init__()
        self.curve, self.latent_means, self.labels, self.indices = [], None, None, indices
        self.rate_distortion, self.reconstructions, self.samples = [], [], []
        self.by_sentence = {"sentence": indices}

    def put(self, **values: object) -> None:
        """Add metrics. None, NaN and infinities are left out; JSON has no NaN and no infinity."""
        self.update({name: value for name, value in values.items() if value is not None and not no_number(value)})
