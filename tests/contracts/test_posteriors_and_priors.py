"""Module in, distribution out: what every posterior and every prior must do."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import kl_divergence

from tests.components import IMPLICIT, POSTERIORS, PRIORS, scramble
from textvae.models.support import support_of

D, H, B = 4, 6, 3
PAIRS = [(q, p) for q in POSTERIORS for p in PRIORS if support_of(POSTERIORS[q]) == support_of(PRIORS[p])]


@pytest.mark.parametrize("name", POSTERIORS)
def test_posterior_shapes_and_scores(name: str) -> None:
    posterior = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D))
    q = posterior(torch.randn(B, H))
    assert q.batch_shape == (B,) and q.event_shape == (D,)
    z, log_q = q.rsample_and_log_prob((5,))
    assert z.shape == (5, B, D) and log_q.shape == (5, B)
    torch.testing.assert_close(log_q, q.log_prob(z))
    assert z.requires_grad
    stopped, _ = q.detached().rsample_and_log_prob((2,))
    assert not stopped.requires_grad
    torch.testing.assert_close(q.rows(torch.tensor([2, 0])).log_prob(z[:, [2, 0]]), log_q[:, [2, 0]])


@pytest.mark.parametrize("name", POSTERIORS)
def test_pairwise_scores_are_all_pairs(name: str) -> None:
    q = scramble(POSTERIORS[name].build(feature_dim=H, latent_dim=D))(torch.randn(B, H))
    z = q.sample((2,)).flatten(0, 1)
    expected = q.log_prob(z.unsqueeze(1))
    torch.testing.assert_close(q.pairwise_log_prob(z).float(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("posterior_name", "prior_name"), PAIRS)
def test_closed_form_kl_agrees_with_monte_carlo(posterior_name: str, prior_name: str) -> None:
    """Seed 0, 200 000 samples: within 4 standard errors, for each of three posteriors."""
    q = scramble(POSTERIORS[posterior_name].build(feature_dim=H, latent_dim=D))(torch.randn(B, H))
    p = PRIORS[prior_name].build(latent_dim=D)()
    exact = kl_divergence(q, p)
    per_dim = q.kl_per_dim(p)
    if per_dim is not None:
        torch.testing.assert_close(per_dim.sum(-1), exact)
        assert (per_dim >= -1e-6).all()
    with torch.no_grad():
        z, log_q = q.rsample_and_log_prob((200_000,))
        ratio = log_q - p.log_prob(z)
    error = ratio.std(0) / ratio.shape[0] ** 0.5
    assert ((ratio.mean(0) - exact).abs() < 4 * error).all()


@pytest.mark.parametrize("name", [name for name in POSTERIORS if name not in IMPLICIT])
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
    p = PRIORS[name].build(latent_dim=D)()
    z, log_p = p.rsample_and_log_prob((6,))
    assert z.shape == (6, D) and log_p.shape == (6,)
    assert p.expand((2,)).log_prob(z.unsqueeze(1)).shape == (6, 2)
