"""Calibration: whether stated probabilities of labels hold, and the temperature that makes them hold better."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from textvae.arguments import shown
from textvae.errors import DataError

BINS = 10
"""Equal-width bins of confidence."""
_COLDEST, _HOTTEST = 0.05, 20.0
"""The temperatures between which the best one is sought."""
_HALVINGS = 50
_LEAST = 1e-12
"""Probabilities are at least this before their logarithm is taken."""


def expected_calibration_error(
    probability_NC: Float64[np.ndarray, "N C"], label_N: Int64[np.ndarray, " N"], bins: int = BINS
) -> float:
    """The mean distance between confidence and accuracy, 0 to 1, over equal-width bins of confidence.

    Confidence is the probability of the likeliest label. Each bin counts by its share of the sentences (Guo et al.
    2017, arXiv 1706.04599, eq. 3). A finite test set gives a perfect predictor more than 0: see
    `perfect_calibration_error`.

    Args:
        probability_NC: of each label, N > 0 rows that sum to one.
        label_N: the true labels.
        bins: between 0 and 1.

    Raises:
        DataError: there are no rows, or labels and rows are not equally many.

    >>> probability_NC = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> round(expected_calibration_error(probability_NC, np.array([0, 0, 1, 0])), 3)
    0.1
    """
    _require_rows(probability_NC, label_N)
    confidence_N = probability_NC.max(-1)
    right_N = probability_NC.argmax(-1) == label_N
    return _error(confidence_N, right_N, bins)


def perfect_calibration_error(
    probability_NC: Float64[np.ndarray, "N C"], *, seed: int, draws: int = 200, bins: int = BINS
) -> float:
    """The calibration error that these probabilities would have if they held: its mean over simulated labels.

    Each draw makes the likeliest label of a row the true one with the probability that is stated for it. So it is what
    a finite test set alone adds.

    Args:
        probability_NC: as of `expected_calibration_error`.
        seed: of the simulation.
        draws: of all labels.
        bins: as of `expected_calibration_error`.

    >>> probability_NC = np.full((1000, 2), 0.5)
    >>> 0.0 < perfect_calibration_error(probability_NC, seed=0) < 0.03
    True
    """
    _require_rows(probability_NC, probability_NC)
    generator = np.random.default_rng(seed)
    confidence_N = probability_NC.max(-1)
    return float(
        np.mean([_error(confidence_N, generator.random(len(confidence_N)) < confidence_N, bins) for _ in range(draws)])
    )


def best_temperature(log_probability_NC: Float64[np.ndarray, "N C"], label_N: Int64[np.ndarray, " N"]) -> float:
    """The temperature T by which softmax(log p / T) gives the labels the highest likelihood (Guo et al. 2017).

    To the likelihood the one of one further sentence is added whose labels are all equally likely, so that few
    sentences, all of them right, do not make it certain.

    Args:
        log_probability_NC: of each label, N > 0 rows, or other logits.
        label_N: the true labels of sentences that the classifier has not learned from.

    Returns:
        between 0.05 and 20; above 1 where the probabilities are too certain.

    >>> log_NC = np.log([[0.99, 0.01]] * 4)
    >>> best_temperature(log_NC, np.array([0, 0, 0, 1])) > 2
    True
    """
    _require_rows(log_probability_NC, label_N)
    # The loss is convex in 1/T, and its slope there is what the probabilities expect of the logits, less what is there.
    given_NC = np.maximum(log_probability_NC, np.log(_LEAST))
    usual_1C = np.sort(given_NC, -1).mean(0, keepdims=True)
    rows_MC = np.concatenate([given_NC, usual_1C])
    found = given_NC[np.arange(len(label_N)), label_N].sum() + usual_1C.mean()
    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = (np.exp(tempered_log(rows_MC, np.exp(middle))) * rows_MC).sum()
        low, high = (middle, high) if expected > found else (low, middle)
    return float(np.exp((low + high) / 2))


def likelihood_at_best(
    log_probability_NC: Float64[np.ndarray, "N C"], label_N: Int64[np.ndarray, " N"]
) -> tuple[float, float]:
    """The mean log-likelihood of the labels at the temperature that is best for them, nats, and that temperature.

    Args:
        log_probability_NC: as of `best_temperature`.
        label_N: likewise.

    >>> value, temperature = likelihood_at_best(np.log([[0.9, 0.1]] * 3), np.array([0, 0, 1]))
    >>> round(value, 2), temperature > 2
    (-0.64, True)
    """
    temperature = best_temperature(log_probability_NC, label_N)
    at_best_NC = tempered_log(log_probability_NC, temperature)
    return float(at_best_NC[np.arange(len(label_N)), label_N].mean()), temperature


def tempered_log(log_probability_NC: np.ndarray, temperature: float) -> np.ndarray:
    """log softmax(log p / T) of each row, nats, [N, C]."""
    scaled = np.maximum(log_probability_NC, np.log(_LEAST)) / temperature
    return scaled - np.logaddexp.reduce(scaled, -1, keepdims=True)


def _error(confidence_N: np.ndarray, right_N: np.ndarray, bins: int) -> float:
    place_N = np.minimum((confidence_N * bins).astype(int), bins - 1)
    gaps = np.bincount(place_N, weights=confidence_N - right_N, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence_N))


def _require_rows(probability_NC: np.ndarray, label_N: np.ndarray) -> None:
    if len(probability_NC) == 0 or len(probability_NC) != len(label_N):
        raise DataError(
            f"calibration needs a label for each row, got {shown(len(label_N))} labels and "
            f"{shown(len(probability_NC))} rows of probabilities; give as many, at least one."
        )
