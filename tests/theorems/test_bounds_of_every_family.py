"""Every posterior and every prior on a model whose log p(x) is an integral: bounds stay below it, in their order.

A new family meets these by being added to the lists of `tests/components.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import (
    EXTENDED,
    POSTERIORS,
    PRIORS,
    WITHOUT_DENSITY,
    posterior_beside,
    prior_beside,
    remembering,
    scramble,
)
from tests.oracles import linear_gaussian as oracle
from tests.oracles.corpus import ListCorpus
from tests.oracles.linear_gaussian_vae import batch_of, exact_codes, exact_log_p, linear_gaussian_vae, mass, unresolved
from textvae.evaluation import AISConfig, likelihood
from textvae.evaluation.annealed import log_mean_exp, prepared
from textvae.evaluation.noise import own_randomness
from textvae.evaluation.sweep import BATCH_TOKENS, Part
from textvae.models import TextVAE
from textvae.objectives import ELBOConfig, SteinConfig

FAMILIES = [
    *((name, prior_beside(name)) for name in POSTERIORS),
    *((posterior_beside(name), name) for name in PRIORS if name not in ("standard_normal", "hyperspherical_uniform")),
]
ROWS = 300
FIXED_RATE = {"von_mises_fisher-rate", "power_spherical-fixed"} | {n for n in POSTERIORS if n.endswith("committed")}
"""Posteriors that cannot come near the true one, because of what their settings fix."""


@cache
def fitted(posterior: str, prior: str) -> tuple[TextVAE, ListCorpus]:
    """The one observation of O1 many times: after some steps on the bound, as every bound needs some overlap."""
    x_NX = torch.tensor([oracle.X] * ROWS, dtype=torch.float64)
    model = linear_gaussian_vae(POSTERIORS[posterior], PRIORS[prior], x_NX)
    model.decoder.requires_grad_(False)
    remembering(model.prior, 40)
    scramble(model.posterior, scale=0.1)
    scramble(model.prior, seed=1, scale=0.15)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    config = SteinConfig() if posterior in WITHOUT_DENSITY else ELBOConfig()
    optimizer, objective = torch.optim.Adam(trained, lr=0.03), config.build(steps_per_epoch=1, total_steps=1)
    few = batch_of(model, 40)
    for _ in range(60):
        optimizer.zero_grad()
        objective(model.terms(few, 1), 0).loss_B.mean().backward()
        optimizer.step()
    return model.eval(), ListCorpus([[row] for row in range(ROWS)])


def mean_error(x: np.ndarray | Tensor) -> tuple[float, float]:
    x = np.asarray(x)
    return float(x.mean()), float(x.std(ddof=1) / len(x) ** 0.5)


@pytest.mark.parametrize(("posterior", "prior"), [pair for pair in FAMILIES if pair[0] not in WITHOUT_DENSITY])
def test_bounds_are_ordered_below_an_exact_likelihood(posterior: str, prior: str) -> None:
    """O1: ELBO <= IWAE-5 <= IWAE-50 <= log p in the mean of 300 estimates, within 3 standard errors of differences; the
    mean weight is p(x), within 4; densities integrate to one."""
    model, corpus = fitted(posterior, prior)
    log_p = exact_log_p(model, 1).item()
    if prior == "standard_normal":
        assert log_p == pytest.approx(oracle.LOG_P, abs=1e-7)
    assert mass(model, model.prior()).item() == pytest.approx(1.0, abs=1e-5 + unresolved(model, model.prior()))
    found = likelihood(model, corpus, num_samples=50)
    bounds = {k: -nll for k, nll in found.curve.items()}
    for lower, upper in ((1, 5), (5, 50)):
        gap, error = mean_error(bounds[upper] - bounds[lower])
        assert gap > -3 * error
    mean, error = mean_error(bounds[50])
    assert mean < log_p + 3 * error
    assert log_p - mean < (0.4 if posterior in FIXED_RATE else 0.1), (
        "nothing is tested where the posterior is far from the true one"
    )
    if posterior not in FIXED_RATE:
        # A posterior much narrower than the true one has weights whose tail no 300 estimates see.
        weight, error = mean_error(np.exp(bounds[50] - log_p))
        assert abs(weight - 1) < 4 * error + 1e-9
    assert found.elbo_nll is not None
    elbo, error = mean_error(-found.elbo_nll)
    assert elbo < log_p + 3 * error


@pytest.mark.parametrize("posterior", [name for name in POSTERIORS if name not in EXTENDED | WITHOUT_DENSITY])
def test_posteriors_integrate_to_one(posterior: str) -> None:
    model, _ = fitted(posterior, prior_beside(posterior))
    q = model.posterior_of(batch_of(model, 2))
    error = unresolved(model, q)
    assert error < 0.1, "the grid says nothing of a density this narrow"
    torch.testing.assert_close(mass(model, q), torch.ones(2).double(), rtol=0, atol=1e-4 + error)


@pytest.mark.parametrize(("posterior", "prior"), FAMILIES)
def test_annealing_is_around_the_exact_likelihood(posterior: str, prior: str) -> None:
    """From the posterior, by 20 steps, and back from exact draws of p(z|x): -log p(x) of 100 rows is between the means
    of both, within 4 standard errors, and both are within 0.1 of it (0.2 of what settings hold away from it); E[1/w] =
    1/p(x) backward, within 4."""
    model, corpus = fitted(posterior, prior)
    rows, config = np.arange(100), AISConfig(chains=4, steps=20, leapfrog=3)
    with own_randomness(model):
        part = Part(corpus.batch(rows).unlabelled(), rows, rows)
        ready = prepared(model, part, config, seed=0, batch_tokens=BATCH_TOKENS)
        forward_SB, acceptance = ready.path.forward(ready.z_SBD, ready.sizes)
        backward_SB = ready.path.backward(exact_codes(model, 100).expand_as(ready.z_SBD), ready.sizes)
    nll, near = -exact_log_p(model, 1).item(), 0.2 if posterior in FIXED_RATE else 0.1
    upper, error = mean_error(-log_mean_exp(forward_SB))
    assert nll - 3 * error < upper < nll + 0.1
    lower, error = mean_error(log_mean_exp(-backward_SB))
    assert nll - near < lower < nll + 4 * error
    inverse, error = mean_error((-backward_SB - nll).exp().mean(0))
    assert abs(inverse - 1) < 4 * error + 1e-9
    assert 0.5 < acceptance <= 1.0
