"""Module in, distribution out: what every posterior and every prior must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.components import (
    CROSSED,
    EXTENDED,
    IMPLICIT,
    PAIRS,
    POSTERIORS,
    PRIORS,
    WITHOUT_DENSITY,
    composed_prior,
    scramble,
)
from textvae.distributions import LatentDistribution
from textvae.models.support import kl_has_dimensions
from textvae.models.text_vae import closed_form_kl, scored_group
from textvae.objectives import kl_by_sentence
from textvae.types import SPHERE, LatentTerms

D, H, B = 4, 6, 3
SCORED = [name for name in POSTERIORS if name not in WITHOUT_DENSITY]


@pytest.mark.parametrize("name", SCORED)
def test_posterior_shapes_and_scores(name: str) -> None:
    # In float64: a flow's density of a given z goes through its inverse, which costs digits.
    posterior = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D)).double()
    q = posterior(torch.randn(B, H, dtype=torch.float64))
    assert q.batch_shape == (B,) and q.event_shape == (D,)
    z, log_q = q.rsample_and_log_prob((5,))
    assert z.shape == (5, B, D) and log_q.shape == (5, B)
    torch.testing.assert_close(log_q, q.log_prob(z))
    assert z.requires_grad
    stopped, _ = q.detached().rsample_and_log_prob((2,))
    assert not stopped.requires_grad
    torch.testing.assert_close(q.rows(torch.tensor([2, 0])).log_prob(z[:, [2, 0]]), log_q[:, [2, 0]])
    torch.testing.assert_close(q.rows(1).log_prob(z[:, 1]), log_q[:, 1])
    assert q.expand((5, B)).log_prob(z).shape == (5, B)
    assert q.center.shape == (B, D)


@pytest.mark.parametrize("name", sorted(WITHOUT_DENSITY))
def test_posterior_without_a_density_has_shapes_samples_and_a_proxy(name: str) -> None:
    posterior = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D)).double()
    q = posterior(torch.randn(B, H, dtype=torch.float64))
    assert q.batch_shape == (B,) and q.event_shape == (D,)
    z, log_q, log_weight = q.weighted_samples(5)
    assert z.shape == (5, B, D) and z.requires_grad and log_q is None
    torch.testing.assert_close(log_weight.exp().sum(0), torch.ones(B).double())
    for score in (q.log_prob, q.pairwise_log_prob):
        with pytest.raises(NotImplementedError, match="samples and no density"):
            score(z[0])
    with pytest.raises(NotImplementedError, match="samples and no density"):
        q.rsample_and_log_prob((2,))
    assert not q.detached().rsample((2,)).requires_grad and not q.detached().mean.requires_grad
    torch.testing.assert_close(q.rows(torch.tensor([2, 0])).mean, q.mean[[2, 0]])
    torch.testing.assert_close(q.rows(1).variance, q.variance[1])
    assert q.expand((5, B)).rsample((2,)).shape == (2, 5, B, D)
    proxy = q.proposal
    torch.testing.assert_close(proxy.mean, q.center)
    torch.testing.assert_close(proxy.variance, q.variance.clamp_min(4e-4))
    # 200 000 draws, within 5 standard errors and what 128 fixed draws leave open.
    drawn = q.rsample((200_000,)).detach()
    assert ((drawn.mean(0) - q.mean) / q.stddev).abs().max() < 0.1
    assert (drawn.var(0) / q.variance).log().abs().max() < 0.3


@pytest.mark.parametrize("name", SCORED)
def test_weighted_samples_are_a_weighted_average(name: str) -> None:
    q = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D)).double()(torch.randn(B, H).double())
    z, log_q, log_weight = q.weighted_samples(5)
    assert len(z) % 5 == 0 and z.shape[1:] == (B, D) and log_q.shape == log_weight.shape == z.shape[:2]
    torch.testing.assert_close(log_weight.exp().sum(0), torch.ones(B).double())
    torch.testing.assert_close(log_q, q.log_prob(z))


@pytest.mark.parametrize("name", SCORED)
def test_pairwise_scores_are_all_pairs(name: str) -> None:
    q = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D))(torch.randn(B, H))
    z = q.sample((2,)).flatten(0, 1)
    expected = q.log_prob(z.unsqueeze(1))
    torch.testing.assert_close(q.pairwise_log_prob(z).float(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SCORED)
def test_nothing_is_scored_in_an_empty_batch(name: str) -> None:
    q = POSTERIORS[name].build(feature_dim=H, latent_dim=D).eval()(torch.zeros(0, H))
    z, log_q = q.rsample_and_log_prob((2,))
    assert z.shape == (2, 0, D) and log_q.shape == (2, 0)
    assert q.pairwise_log_prob(torch.zeros(5, D)).shape == (5, 0)


@pytest.mark.parametrize("name", POSTERIORS)
def test_entropy_is_the_mean_of_minus_log_q_or_says_what_to_do(name: str) -> None:
    """Seed 0, 20 000 samples, within 4 standard errors; a family without a closed form names the estimate."""
    with torch.no_grad():
        q = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D)).double()(torch.randn(B, H).double())
        try:
            entropy = q.entropy()
        except NotImplementedError as error:
            assert "no closed form" in str(error) and "log_prob" in str(error)
            return
        log_q = q.rsample_and_log_prob((20_000,))[1]
    assert entropy.shape == (B,)
    assert ((entropy + log_q.mean(0)).abs() < 4 * log_q.std(0) / 20_000**0.5).all()


@pytest.mark.parametrize("name", POSTERIORS)
def test_only_a_posterior_that_says_so_has_the_same_mean_for_every_sentence(name: str) -> None:
    """Its active units are 0 however much z says, so that they are no sign of collapse."""
    q = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D), scale=1.0)(torch.randn(B, H))
    try:
        mean = q.mean
    except NotImplementedError:
        return
    assert POSTERIORS[name].fixed_mean == bool((mean == mean[0]).all())


def assert_same_overlap(q: LatentDistribution, p: LatentDistribution, samples: int = 20_000) -> None:
    """E_q[p / (p + q)] = E_p[q / (p + q)], within 4 standard errors: bounded weights, so no tail can hide a difference.

    Args:
        q: batch shape [B].
        p: batch shape [].
    """
    with torch.no_grad():
        of_q, of_p = q.sample((samples,)), p.sample((samples, *q.batch_shape))
        one = (p.log_prob(of_q) - q.log_prob(of_q)).sigmoid()
        other = (q.log_prob(of_p) - p.log_prob(of_p)).sigmoid()
    error = ((one.var(0) + other.var(0)) / samples).sqrt()
    assert (one.mean(0) > 5 * error).all(), "the two hardly overlap: nothing was tested"
    assert ((one.mean(0) - other.mean(0)).abs() < 4 * error).all()


WITH_A_KL = [
    (q, p)
    for q, p in PAIRS
    if q in SCORED
    and ((q, p) in CROSSED or kl_has_dimensions(POSTERIORS[q], PRIORS[p]) or POSTERIORS[q].support == SPHERE)
]
"""Those whose KL has a closed form, all of them; of the others one pair for all that declare the same."""


@pytest.mark.parametrize(("posterior_name", "prior_name"), WITH_A_KL)
def test_kl_agrees_with_monte_carlo(posterior_name: str, prior_name: str) -> None:
    """Seed 0, within 4 standard errors, for each of three posteriors.

    A closed form equals the mean of log q - log p over 200 000 samples. Where there is none, it is that mean over
    20 000 samples by which objectives train, and it is a KL because samples and densities of both belong together: see
    `assert_same_overlap`.
    """
    q = scramble(POSTERIORS[posterior_name].build(feature_dim=H, latent_dim=D), scale=0.2)(torch.randn(B, H))
    p = scramble(composed_prior(PRIORS[prior_name], D, H), scale=0.2)()
    with torch.no_grad():
        exact = closed_form_kl(q, p)
        z, log_q = q.rsample_and_log_prob((20_000 if exact is None else 200_000,))
        ratio = log_q - p.log_prob(z)
    samples = len(ratio)
    error = ratio.std(0) / samples**0.5
    per_dim = q.kl_per_dim(p)
    if exact is not None:
        if per_dim is not None:
            torch.testing.assert_close(per_dim.sum(-1), exact)
            assert (per_dim >= -1e-6).all()
        assert ((ratio.mean(0) - exact).abs() < 4 * error).all()
        return
    assert per_dim is None
    group = scored_group("z", q, p, z, log_q)
    even = torch.full_like(ratio, -float(np.log(samples)))
    found = kl_by_sentence(group, LatentTerms(ratio, even, torch.ones(B), (group,)))
    if group.kl_U is None:
        torch.testing.assert_close(found, ratio.mean(0), rtol=1e-3, atol=1e-4)
    # In closed form given the levels above, it is another estimate of the same number, from the same samples.
    assert ((found - ratio.mean(0)).abs() < 4 * error).all() and (found > -4 * error).all()
    assert_same_overlap(q, p)


@pytest.mark.parametrize("name", [name for name in SCORED if name not in IMPLICIT | EXTENDED])
def test_gradients_equal_finite_differences_under_common_noise(name: str) -> None:
    """Oracle O18: float64, relative error below 1e-4 for every parameter."""
    posterior = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D)).double()
    features = torch.randn(B, H, dtype=torch.float64)

    def value() -> torch.Tensor:
        torch.manual_seed(3)
        z, log_q = posterior(features).rsample_and_log_prob((2,))
        return (z.sin().sum(-1) + 0.1 * log_q).sum()

    grads = torch.autograd.grad(value(), list(posterior.parameters()))
    step = 1e-6
    for parameter, grad in zip(posterior.parameters(), grads, strict=True):
        flat, flat_grad = parameter.data.view(-1), grad.reshape(-1)
        for index in range(0, flat.numel(), 5):
            kept = flat[index].item()
            flat[index] = kept + step
            above = value().item()
            flat[index] = kept - step
            below = value().item()
            flat[index] = kept
            slope = (above - below) / (2 * step)
            assert slope == pytest.approx(flat_grad[index].item(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", PRIORS)
def test_prior_shapes(name: str) -> None:
    p = composed_prior(PRIORS[name], D, H)()
    z, log_p = p.rsample_and_log_prob((6,))
    assert z.shape == (6, D) and log_p.shape == (6,)
    assert p.log_prob(torch.randn(7, B, D)).shape == (7, B)
    assert p.sample((2, 3)).shape == (2, 3, D)
    many = p.expand((7,)).rows(torch.tensor([1, 0, 4]))
    assert many.batch_shape == (3,) and many.log_prob(torch.randn(B, D)).shape == (3,)
    assert not p.detached().log_prob(torch.randn(B, D)).requires_grad
