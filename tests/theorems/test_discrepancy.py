"""The discrepancy of InfoVAE: weighted samples count by their weights, spaces have one scale, learned priors learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import PRIORS, composed_prior, scramble
from textvae.config import parse
from textvae.distributions import (
    DiagonalGaussian,
    Estimator,
    GaussianMixture,
    HypersphericalUniform,
    LatentDistribution,
)
from textvae.errors import ConfigError
from textvae.objectives import InfoVAEConfig, mmd_squared
from textvae.text.batching import BatchPlan
from textvae.training import TrainConfig
from textvae.types import Context, LatentGroup, LatentTerms

BUILD = {"steps_per_epoch": 1, "total_steps": 1}


def discrepancy(posterior: LatentDistribution, prior: LatentDistribution, num_samples: int = 1) -> Tensor:
    """What InfoVAE charges at alpha = scale = 1, where it is MMD^2 alone."""
    z_SBD, log_q_SB, log_weight_SB = posterior.weighted_samples(num_samples)
    group = LatentGroup("z", posterior, prior, z_SBD, log_q_SB, prior.log_prob(z_SBD))
    nothing = torch.zeros_like(log_weight_SB)
    terms = LatentTerms(nothing, log_weight_SB, torch.ones(z_SBD.shape[1], dtype=torch.int64), (group,))
    return InfoVAEConfig(alpha=1.0, scale=1.0).build(**BUILD)(terms, 0).loss_B.mean()


def normal(dim: int) -> DiagonalGaussian:
    return DiagonalGaussian(torch.zeros(dim), torch.ones(dim))


def far_away(sentences: int, share: float, estimator: Estimator) -> GaussianMixture:
    """N(0, I), but for a share of codes that are far from anything."""
    logits = torch.tensor([math.log1p(-share), math.log(share)]).expand(sentences, 2)
    loc = torch.stack([torch.zeros(3), torch.full((3,), 100.0)])
    return GaussianMixture(logits, loc.expand(sentences, 2, 3), torch.ones(sentences, 2, 3), estimator)


def mean_and_error(found: list[float]) -> tuple[float, float]:
    x = torch.tensor(found)
    return float(x.mean()), float(x.std() / len(x) ** 0.5)


@pytest.mark.parametrize("all_lengths", [True, False])
def test_codes_that_tell_the_length_and_fill_the_prior_are_free_in_batches_of_all_lengths(all_lengths: bool) -> None:
    """q(z) = N(0, I), its first coordinate being the rank of the sentence's length. The trainer's batches for this
    objective find no discrepancy, within 3 standard errors over batches; those of one length find that of
    q(z | length), by more than 6."""
    torch.manual_seed(0)
    sentences = 2000
    lengths = np.random.default_rng(0).integers(4, 24, sentences)
    ranks = np.empty(sentences)
    ranks[np.lexsort((np.random.default_rng(1).random(sentences), lengths))] = (np.arange(sentences) + 0.5) / sentences
    codes_ND = torch.randn(sentences, 3)
    codes_ND[:, 0] = torch.special.ndtri(torch.from_numpy(ranks)).float()
    plan = BatchPlan(lengths, 24 * 20, None, 0, all_lengths=all_lengths)
    found = [float(mmd_squared(codes_ND[batch], torch.randn(len(batch), 3))) for batch in plan.epoch(0)]
    mean, error = mean_and_error(found)
    assert (abs(mean) < 3 * error) if all_lengths else mean > 6 * error


def test_a_component_of_no_weight_makes_no_discrepancy() -> None:
    """99.995 % N(0, I): zero within 3 standard errors of 100 batches; strata counted alike give a quarter."""
    torch.manual_seed(0)
    q = far_away(40, 5e-5, "stratified")
    mean, error = mean_and_error([float(discrepancy(q, normal(3))) for _ in range(100)])
    assert abs(mean) < 3 * error + 1e-6 and error < 0.005


@pytest.mark.parametrize("num_samples", [1, 2])
def test_strata_tell_the_same_discrepancy_as_draws(num_samples: int) -> None:
    """A quarter of the codes far away: MMD^2 is 2 (1/4)^2 a by either estimator, within 3 standard errors.

    With a = E k(z, z') of two draws from N(0, I), and nothing between near and far, q = (1 - s) p + s p' has
    MMD^2(q, p) = (1 - s)^2 a + s^2 a + a - 2 (1 - s) a = 2 s^2 a; a is the mean over h of (1 + 2 / (h D))^(-D / 2).
    """
    a = sum((1 + 2 / (width * 3)) ** -1.5 for width in (0.5, 1.0, 2.0)) / 3
    for estimator in ("stratified", "pathwise"):
        torch.manual_seed(1)
        q = far_away(30, 0.25, estimator)
        mean, error = mean_and_error([float(discrepancy(q, normal(3), num_samples)) for _ in range(200)])
        assert mean == pytest.approx(2 * 0.25**2 * a, abs=3 * error) and error < 0.004


def test_samples_of_one_sentence_are_not_compared_with_each_other() -> None:
    """Sentences with a code each that fill N(0, I) together: zero within 3 standard errors, whatever the samples."""
    torch.manual_seed(2)
    found = []
    for _ in range(200):
        q = DiagonalGaussian(torch.randn(20, 3), torch.full((20, 3), 1e-3))
        found.append(float(discrepancy(q, normal(3), 4)))
    mean, error = mean_and_error(found)
    assert abs(mean) < 3 * error


@pytest.mark.parametrize("dim", [4, 16, 64])
def test_a_collapsed_code_costs_the_same_in_any_space(dim: int) -> None:
    """All codes in one draw of the prior: 1 - E k of two draws at their mean distance is 0.63, everywhere about 0.6."""
    torch.manual_seed(0)
    for prior in (normal(dim), HypersphericalUniform(dim)):
        found = []
        for _ in range(60):
            point = prior.sample((1,)).expand(200, dim)
            found.append(float(mmd_squared(point, prior.sample((200,)), unit_variance=prior.unit_variance)))
        assert sum(found) / 60 == pytest.approx(0.6, abs=0.06)


def test_the_objective_takes_the_scale_of_the_prior() -> None:
    torch.manual_seed(0)
    prior = HypersphericalUniform(16)
    group_q = DiagonalGaussian(prior.sample((1,)).expand(100, 16), torch.full((100, 16), 1e-4))
    assert 0.5 < float(discrepancy(group_q, prior)) < 0.7


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_with_parameters_learns_from_the_discrepancy(name: str) -> None:
    """At alpha = 1 it is all that a prior hears of: finite gradients, not all zero, in every part of it."""
    torch.manual_seed(0)
    module = scramble(composed_prior(PRIORS[name], latent_dim=4), scale=0.3)
    labels, codes = torch.arange(8) % 3, torch.randn(8, 4)
    codes_and_ids = {"vector_BH": codes, "example_id_B": torch.arange(7).repeat(2)[:8]}
    context = Context(label_B=labels, **(codes_and_ids if PRIORS[name].sees_codes else {}))
    prior = module.train()(context)
    if name == "hyperspherical_uniform":
        q: LatentDistribution = DiagonalGaussian(prior.sample((8,)), torch.full((8, 4), 1e-4))
    else:
        q = DiagonalGaussian(torch.randn(8, 4), torch.ones(8, 4))
    parameters = dict(module.named_parameters())
    if not parameters:
        assert not discrepancy(q, prior).requires_grad
        return
    found = torch.autograd.grad(discrepancy(q, prior), list(parameters.values()))
    for part, gradient in zip(parameters, found, strict=True):
        assert gradient.isfinite().all(), part
        assert gradient.abs().max() > 0, part


def test_a_mixture_over_labels_learns_where_some_are_hidden() -> None:
    """Labels that are known have components without any weight beside them: gradients stay finite."""
    torch.manual_seed(0)
    module = scramble(composed_prior(PRIORS["conditional"], latent_dim=4), scale=0.3)
    prior = module(Context(label_B=torch.tensor([0, -1, 2, -1, 1])))
    q = DiagonalGaussian(torch.randn(5, 4), torch.ones(5, 4))
    (found,) = torch.autograd.grad(discrepancy(q, prior), list(module.parameters()))
    assert found.isfinite().all() and (found.abs().sum(-1) > 0).all()


def test_rows_that_depend_on_each_other_are_not_compared() -> None:
    """The same draws twice: paired, zero within 3 standard errors; compared row by row, too much alike."""
    torch.manual_seed(0)
    x = [torch.randn(10, 3) for _ in range(300)]
    mean, error = mean_and_error([float(mmd_squared(rows, rows, paired=True)) for rows in x])
    assert abs(mean) < 3 * error + 1e-6
    mean, error = mean_and_error([float(mmd_squared(rows, rows)) for rows in x])
    assert mean < -3 * error - 0.01


def test_a_learned_prior_comes_to_the_codes() -> None:
    """Codes N(2, 1) and a prior that starts as N(0, I): 60 steps on the discrepancy alone bring it there."""
    torch.manual_seed(0)
    loc = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([loc], lr=0.1)
    for _ in range(60):
        q = DiagonalGaussian(torch.full((100, 2), 2.0), torch.ones(100, 2))
        optimizer.zero_grad()
        discrepancy(q, DiagonalGaussian(loc, torch.ones(2))).backward()
        optimizer.step()
    torch.testing.assert_close(loc.detach(), torch.full((2,), 2.0), atol=0.3, rtol=0)


NO_WEIGHT = {"kind": "constant", "weight": 0.0}


@pytest.mark.parametrize(
    "objective",
    [
        {"kind": "unregularized"},
        {"kind": "info_vae", "alpha": 1.0, "scale": 0.0},
        {"kind": "info_vae", "weight": NO_WEIGHT},
        *({"kind": kind, "kl_weight": NO_WEIGHT} for kind in ("elbo", "iwae", "renyi")),
        {"kind": "elbo", "kl_weight": {"kind": "linear", "final": 0.0}},
    ],
)
@pytest.mark.parametrize("name", PRIORS)
def test_what_nobody_would_train_is_refused(name: str, objective: dict[str, object]) -> None:
    sphere = name == "hyperspherical_uniform"
    posterior = {"kind": "von_mises_fisher"} if sphere else {"kind": "gaussian"}
    table = {
        "model": {"kind": "text_vae", "posterior": posterior, "prior": PRIORS[name].model_dump(mode="json")},
        "objective": objective,
    }
    if name in ("hyperspherical_uniform", "standard_normal"):
        parse(TrainConfig, table, "test")
    else:
        with pytest.raises(ConfigError, match=r"would never be trained; set prior\.kind = 'standard_normal'"):
            parse(TrainConfig, table, "test")
    for trains in ({"kind": "info_vae"}, {"kind": "elbo", "kl_weight": {"kind": "linear", "start": 0.9, "end": 0.95}}):
        parse(TrainConfig, {**table, "objective": trains}, "test")
