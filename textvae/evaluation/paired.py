"""Paired comparison of two models: the mean difference of their NLLs over the same sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textvae.errors import DataError
from textvae.evaluation.likelihood import mean_and_error


@dataclass(frozen=True)
class SentenceNLL:
    """What a model says of each of some sentences.

    Attributes:
        nll_N: minus log p(x), or its upper bound, nats [N].
        samples: of the importance-weighted bound; 0 where the NLL is exact.
        sentences: places of the sentences in their corpus, [N].
    """

    nll_N: np.ndarray
    samples: int
    sentences: np.ndarray


@dataclass(frozen=True)
class PairedDifference:
    """The NLL of one model minus that of another, over the same sentences.

    Attributes:
        difference: mean, nats per sentence; below 0 where the first model is better.
        difference_se: its standard error over sentences; None for a single one. It is far smaller than that of either
            mean, because most of the variation between sentences is the same for both.
        nll: mean of the first model.
        other_nll: mean of the other one.
        samples: of the bounds; 0 where both are exact. Where one is exact, the difference is that of a bound from it.
        sentences: number of sentences.
    """

    difference: float
    difference_se: float | None
    nll: float
    other_nll: float
    samples: int
    sentences: int


def paired_difference(one: SentenceNLL, other: SentenceNLL) -> PairedDifference:
    """Compare two models. A bound is compared with a bound of as many samples, or with an exact value.

    The caller makes sure that the sentences have the same tokens.

    Raises:
        DataError: other sentences, or bounds of other numbers of samples.

    >>> same = np.arange(3)
    >>> found = paired_difference(SentenceNLL(np.array([1.0, 2, 6]), 9, same), SentenceNLL(np.array([2.0, 2, 8]), 0, same))
    >>> found.difference, round(found.difference_se, 3), found.samples
    (-1.0, 0.577, 9)
    """  # noqa: E501
    if not np.array_equal(one.sentences, other.sentences):
        raise DataError(
            f"got measurements of other sentences ({len(one.sentences)} and {len(other.sentences)}); measure both "
            "models on the same ones."
        )
    if one.samples and other.samples and one.samples != other.samples:
        raise DataError(
            f"got bounds of {one.samples} and of {other.samples} samples, expected the same number; evaluate both runs "
            "with the same iw_samples."
        )
    difference, error = mean_and_error(one.nll_N - other.nll_N)
    return PairedDifference(
        difference=difference,
        difference_se=error,
        nll=float(one.nll_N.mean()),
        other_nll=float(other.nll_N.mean()),
        samples=max(one.samples, other.samples),
        sentences=len(one.nll_N),
    )
