"""O1: bounds on a model whose log p(x), posterior and gaps are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.oracles import linear_gaussian as oracle
from tests.oracles.corpus import ListCorpus
from textvae.evaluation import likelihood

ROWS = 800


def repeated(posterior: str = "imperfect", rows: int = ROWS) -> tuple[oracle.LinearGaussianModel, ListCorpus]:
    """The same observation many times: many estimates of each bound in one evaluation."""
    model = oracle.LinearGaussianModel(torch.tensor([oracle.X] * rows, dtype=torch.float64))
    if posterior == "exact":
        model.posterior = oracle.ExactPosterior(model)
    elif posterior == "best_diagonal":
        model.posterior = oracle.BestDiagonalPosterior(model)
    return model, ListCorpus([[row] for row in range(rows)])


def test_the_oracle_has_the_constants_of_its_card() -> None:
    model = oracle.LinearGaussianModel()
    assert model.exact_log_p().item() == pytest.approx(oracle.LOG_P, abs=1e-8)
    exact = model.exact_posterior()
    np.testing.assert_allclose(exact.mean[0].detach(), oracle.POSTERIOR_MEAN, atol=1e-6)
    np.testing.assert_allclose(exact.covariance_matrix[0].detach(), oracle.POSTERIOR_COV, atol=1e-6)


def test_bounds_rise_with_samples_and_stay_below_log_p() -> None:
    model, corpus = repeated()
    found = likelihood(model, corpus, num_samples=50)
    mean = {k: -nll.mean() for k, nll in found.curve.items()}
    error = {k: nll.std() / ROWS**0.5 for k, nll in found.curve.items()}
    assert sorted(mean) == [1, 2, 5, 10, 20, 50]
    assert mean[1] == pytest.approx(oracle.ELBO, abs=3 * error[1])
    assert -found.elbo_nll.mean() == pytest.approx(oracle.ELBO, abs=3 * found.elbo_nll.std() / ROWS**0.5)
    for k, expected in oracle.IWAE.items():
        # The constant itself is a Monte Carlo estimate, to about 0.002.
        assert mean[k] == pytest.approx(expected, abs=3 * error[k] + 0.002)
    ordered = [mean[k] for k in sorted(mean)]
    assert ordered == sorted(ordered)
    assert mean[50] < oracle.LOG_P + 3 * error[50]


def test_the_best_diagonal_posterior_leaves_the_known_gap() -> None:
    model, corpus = repeated("best_diagonal")
    found = likelihood(model, corpus, num_samples=50)
    error = found.elbo_nll.std() / ROWS**0.5
    assert found.elbo_nll.mean() == pytest.approx(oracle.BEST_DIAGONAL_GAP - oracle.LOG_P, abs=3 * error)


def test_the_exact_posterior_gives_log_p_without_noise() -> None:
    model, corpus = repeated("exact", rows=20)
    found = likelihood(model, corpus, num_samples=7)
    for nll in found.curve.values():
        np.testing.assert_allclose(-nll, oracle.LOG_P, atol=1e-8)
    # Here the KL has no closed form, so the ELBO's is that of the same samples.
    np.testing.assert_allclose(-found.elbo_nll, oracle.LOG_P, atol=1e-8)
