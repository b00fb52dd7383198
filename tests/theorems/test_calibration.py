"""Calibration error and temperature, on probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from textvae.errors import DataError
from textvae.evaluation.calibration import (
    best_temperature,
    expected_calibration_error,
    perfect_calibration_error,
    tempered_log,
)


def stated(rows: int, classes: int, seed: int, spread: float = 1.5) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=spread, size=(rows, classes))
    return tempered_log(logits, 1.0)


def drawn(log_NC: np.ndarray, seed: int) -> np.ndarray:
    """Labels that have these probabilities."""
    generator = np.random.default_rng(seed)
    return (generator.random((len(log_NC), 1)) > np.exp(log_NC).cumsum(-1)[:, :-1]).sum(-1)


@pytest.mark.parametrize("classes", [2, 5])
def test_labels_that_have_the_stated_probabilities_give_the_error_of_a_perfect_predictor(classes: int) -> None:
    log_NC = stated(500, classes, seed=0)
    errors = [expected_calibration_error(np.exp(log_NC), drawn(log_NC, seed)) for seed in range(100)]
    expected = perfect_calibration_error(np.exp(log_NC), seed=1)
    assert np.mean(errors) == pytest.approx(expected, abs=4 * np.std(errors) / 10)


def test_more_sentences_bring_the_error_of_a_perfect_predictor_down() -> None:
    errors = [perfect_calibration_error(np.exp(stated(rows, 3, seed=0)), seed=0) for rows in (50, 500, 5000)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_the_error_is_the_gap_of_each_bin_by_its_share() -> None:
    probability_NC = np.array([[0.85, 0.15]] * 4 + [[0.35, 0.65]] * 6)
    label_N = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 0])
    assert expected_calibration_error(probability_NC, label_N) == pytest.approx(
        0.4 * abs(0.85 - 0.75) + 0.6 * abs(0.65 - 5 / 6)
    )
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == 1.0


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 6])
def test_the_temperature_by_which_logits_were_spoiled_is_found(temperature: float, classes: int) -> None:
    log_NC = stated(4000, classes, seed=2)
    label_N = drawn(log_NC, seed=3)
    assert best_temperature(log_NC * temperature, label_N) == pytest.approx(temperature, rel=0.12)


def test_no_other_temperature_is_likelier() -> None:
    log_NC = stated(60, 3, seed=4) * 4
    label_N = drawn(stated(60, 3, seed=4), seed=5)
    rows = np.append(log_NC, np.sort(log_NC, -1).mean(0, keepdims=True), 0)

    def likelihood(temperature: float) -> float:
        at = tempered_log(rows, temperature)
        return float(at[np.arange(60), label_N].sum() + at[60].mean())

    best = best_temperature(log_NC, label_N)
    assert all(likelihood(best) >= likelihood(best * factor) for factor in (0.8, 0.95, 1.05, 1.25))


def test_few_right_answers_do_not_make_it_certain() -> None:
    log_NC = np.log(np.array([[0.9, 0.1]] * 3))
    assert best_temperature(log_NC, np.array([0, 0, 0])) > 0.3


def test_a_temperature_changes_no_order_and_keeps_probabilities() -> None:
    log_NC = stated(50, 4, seed=6)
    for temperature in (0.1, 2.0):
        at = tempered_log(log_NC, temperature)
        assert (at.argmax(-1) == log_NC.argmax(-1)).all()
        np.testing.assert_allclose(np.exp(at).sum(-1), 1.0)


def test_rows_without_labels_are_refused() -> None:
    with pytest.raises(DataError, match="0 rows"):
        expected_calibration_error(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
