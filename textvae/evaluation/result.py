"""What an evaluation found: the numbers of `report.json`, and what is shown beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from textvae.disk import no_number


@dataclass(frozen=True)
class Example:
    """A sentence and what came back from its code."""

    text: str
    reconstruction: str


class Evaluation(dict[str, Any]):
    """The flat metrics of `report.json`; what was not measured is an absent key. Beside them, as attributes:

    Attributes:
        curve: rows `{"iw_samples", "iw_nll", "iw_nll_se"}`, the bound by its number of samples.
        rate_distortion: of a code in levels, what its first k levels cost and tell; see `textvae.evaluation.
            rate_distortion` for the rows. Empty for other models.
        latent_means: posterior means, float32 [N, D], or None.
        labels: class of each of these sentences, int64 [N], -1 for none.
        indices: their places in the corpus, [N].
        by_sentence: what was measured of each, [N]: `sentence` (its place in the corpus), `tokens`, `iw_nll`,
            `elbo_nll`, `rec_nll`, `kl`; two models are compared by the differences of these.
        reconstructions: some sentences and what came back (needs a tokenizer).
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
        """Add what was measured; None stays absent, and so does what is no finite number, which JSON does not have."""
        self.update({name: value for name, value in values.items() if value is not None and not no_number(value)})
