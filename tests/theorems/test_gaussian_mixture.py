"""Mixture posteriors: the gradients of weights and components by each estimator (oracles O7 and O18)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import random_batch, scramble
from textvae.distributions import DiagonalGaussian, Estimator, GaussianMixture
from textvae.models import TextVAE, TextVAEConfig
from textvae.objectives import ELBOConfig
from textvae.posteriors import MixturePosteriorConfig
from textvae.priors import MixturePriorConfig

ESTIMATORS: tuple[Estimator, ...] = ("pathwise", "stratified", "score")
Parameters = tuple[Tensor, Tensor, Tensor]


def parameters(seed: int = 0, components: int = 2, dims: int = 2) -> Parameters:
    """logits, means, log-scales, float64 leaves."""
    generator = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    return leaf(components), leaf(components, dims), (0.3 * leaf(components, dims)).detach().requires_grad_()


def mixture(of: Parameters, estimator: Estimator = "pathwise", scale: float = 1.0) -> GaussianMixture:
    logits, loc, log_scale = of
    return GaussianMixture(logits, loc, scale * log_scale.exp(), estimator)


def exact_expectation(of: Parameters) -> Tensor:
    """E[z1 z2 + z1^2] = sum_k pi_k (mu_k1 mu_k2 + mu_k1^2 + s_k1^2)."""
    logits, loc, log_scale = of
    value_K = loc[:, 0] * loc[:, 1] + loc[:, 0].square() + (2 * log_scale[:, 0]).exp()
    return (logits.softmax(0) * value_K).sum()


def gradients_of_samples(of: Parameters, estimator: Estimator, rounds: int, samples: int) -> list[Tensor]:
    """Gradients of the estimated expectation, one row for each independent round, by parameter."""
    # A batch of `rounds` copies with leaves of their own: their gradients come out one by one in a single pass.
    leaves = [x.detach().expand(rounds, *x.shape).clone().requires_grad_() for x in of]
    q = GaussianMixture(leaves[0], leaves[1], leaves[2].exp(), estimator)
    z, _, log_weight = q.weighted_samples(samples)
    value = (log_weight.exp() * (z[..., 0] * z[..., 1] + z[..., 0].square())).sum()
    return list(torch.autograd.grad(value, leaves))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_are_unbiased(estimator: Estimator) -> None:
    """O7: every parameter's mean gradient within 3.5 standard errors of the closed form, 4000 rounds of 100 samples.

    The largest of ten deviations is below 3.5 standard errors with probability 0.995; the seed is fixed.
    """
    torch.manual_seed(3)
    of = parameters()
    exact = torch.autograd.grad(exact_expectation(of), of)
    found = gradients_of_samples(of, estimator, rounds=4000, samples=100)
    for rows, truth in zip(found, exact, strict=True):
        error = rows.std(0) / len(rows) ** 0.5
        assert ((rows.mean(0) - truth).abs() < 3.5 * error + 1e-12).all()
        assert (error < 0.1 * truth.abs().max() + 0.02).all()


def test_the_card_of_graves() -> None:
    """O7's constant: a logit gradient of -0.0735 for two components in two dimensions, found to 3 standard errors.

    The card gives the number and not its parameters; these give the same.
    """
    loc = torch.tensor([[0.5, -0.3], [-0.4, 0.8]], dtype=torch.float64)
    log_scale = torch.zeros(2, 2, dtype=torch.float64)
    value_K = loc[:, 0] * loc[:, 1] + loc[:, 0].square() + 1.0
    share = 0.4
    # pi_1 pi_2 (v_1 - v_2) is the gradient; the first component's scale is set so that it comes out as the card's.
    wanted = -0.0735 / (share * (1 - share)) + value_K[1] - (value_K[0] - 1.0)
    log_scale[0, 0] = 0.5 * wanted.log()
    logits = torch.tensor([share, 1 - share], dtype=torch.float64).log()
    of = (logits.requires_grad_(), loc.requires_grad_(), log_scale.requires_grad_())
    (exact,) = torch.autograd.grad(exact_expectation(of), [logits])
    assert exact.tolist() == pytest.approx([-0.0735, 0.0735], abs=1e-9)
    torch.manual_seed(0)
    rows = gradients_of_samples(of, "pathwise", rounds=4000, samples=100)[0]
    error = rows.std(0) / len(rows) ** 0.5
    assert (error < 0.0015).all() and ((rows.mean(0) - exact).abs() < 3 * error).all()


def test_without_the_term_between_dimensions_the_gradient_is_biased() -> None:
    """What the unbiasedness test can see: coordinates treated one by one are off by many standard errors."""
    torch.manual_seed(3)
    of = parameters()
    exact = torch.autograd.grad(exact_expectation(of), of)[0]
    leaves = [x.detach().expand(4000, *x.shape).clone().requires_grad_() for x in of]
    q = GaussianMixture(leaves[0], leaves[1], leaves[2].exp())
    with torch.no_grad():
        z = q.sample((100,))
    moved = []
    for d in range(2):  # one-dimensional marginals: F_d without its dependence on the coordinate before
        marginal = GaussianMixture(leaves[0], leaves[1][..., d : d + 1], leaves[2][..., d : d + 1].exp())
        moved.append(marginal._with_path(z[..., d : d + 1])[..., 0])
    value = (moved[0] * moved[1] + moved[0].square()).mean(0).sum()
    rows = torch.autograd.grad(value, leaves[0])[0]
    assert ((rows.mean(0) - exact).abs() > 10 * rows.std(0) / 4000**0.5).any()


def conditional_distribution(q: GaussianMixture, z: Tensor) -> Tensor:
    """F(z_d | z_<d), [D], written out from the joint."""
    found, log_posterior = [], q.log_weight
    for d in range(len(z)):
        component = torch.distributions.Normal(q.loc[:, d], q.scale[:, d])
        found.append((log_posterior.softmax(0) * component.cdf(z[d])).sum())
        log_posterior = log_posterior + component.log_prob(z[d])
    return torch.stack(found)


def inverse_distribution(q: GaussianMixture, u: Tensor) -> Tensor:
    """z with F(z_d | z_<d) = u_d, by bisection: the map of fixed noise that the gradient belongs to."""
    z = torch.zeros_like(u)
    for d in range(len(u)):
        low, high = torch.tensor(-50.0).double(), torch.tensor(50.0).double()
        for _ in range(70):
            z[d] = (low + high) / 2
            above = conditional_distribution(q, z[: d + 1])[d] > u[d]
            low, high = (low, z[d].clone()) if above else (z[d].clone(), high)
    return z


@pytest.mark.parametrize("seed", range(3))
def test_gradients_equal_finite_differences_under_common_noise(seed: int) -> None:
    """O18: float64, relative error below 1e-4 for every parameter, against bisection of the distribution function."""
    of = parameters(seed, components=3, dims=3)
    torch.manual_seed(seed)
    z = mixture(of).rsample(())
    with torch.no_grad():
        u = conditional_distribution(mixture(of), z)
        torch.testing.assert_close(inverse_distribution(mixture(of), u), z.detach(), rtol=0, atol=1e-9)
    grads = torch.autograd.grad(z.sin().sum() + 0.1 * mixture(of).log_prob(z), of)
    step = 1e-6
    for parameter, grad in zip(of, grads, strict=True):
        for index in range(0, parameter.numel(), 2):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[index] += sign * step
                    moved = inverse_distribution(mixture(of), u)
                    values.append(float(moved.sin().sum() + 0.1 * mixture(of).log_prob(moved)))
                    parameter.view(-1)[index] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            assert slope == pytest.approx(grad.reshape(-1)[index].item(), rel=1e-4, abs=1e-6)


def test_one_component_is_a_gaussian() -> None:
    """Value, density and gradient with K = 1 are those of mu + s * eps."""
    _, loc, log_scale = parameters(components=1, dims=4)
    q = GaussianMixture(torch.zeros(1, dtype=torch.float64), loc, log_scale.exp())
    z = q.rsample((50,))
    eps = ((z - loc[0]) / log_scale[0].exp()).detach()
    other = loc[0] + log_scale[0].exp() * eps
    for parameter in (loc, log_scale):
        (one,) = torch.autograd.grad(z.square().sum(), parameter, retain_graph=True)
        (two,) = torch.autograd.grad(other.square().sum(), parameter, retain_graph=True)
        torch.testing.assert_close(one, two)
    torch.testing.assert_close(q.log_prob(z), DiagonalGaussian(loc[0], log_scale[0].exp()).log_prob(z))


def test_float32_gradients_keep_their_digits_in_the_tails() -> None:
    """Samples six standard deviations out and components far apart: float32 agrees with float64 to 1e-3."""
    loc = torch.tensor([[0.0, 0.0, 0.0], [30.0, -20.0, 1.0], [1.0, 0.5, -0.5]], dtype=torch.float64)
    scale = torch.tensor([[1.0, 1.0, 1.0], [0.1, 2.0, 0.5], [1.5, 0.2, 1.0]], dtype=torch.float64)
    logits = torch.tensor([0.0, -3.0, 0.5], dtype=torch.float64)
    z = torch.stack([loc[0] + 6.0, loc[0] - 6.0, loc[1] + 0.3, loc[1] - 0.4, loc[2] * 0.9, loc[2] + 0.1])
    found = []
    for dtype in (torch.float32, torch.float64):
        leaves = [x.to(dtype).clone().requires_grad_() for x in (logits, loc, scale)]
        moved = GaussianMixture(leaves[0], leaves[1], leaves[2])._with_path(z.to(dtype))
        assert torch.equal(moved, z.to(dtype))
        found.append(torch.autograd.grad(moved.sum(), leaves))
    for single, double in zip(*found, strict=True):
        assert single.isfinite().all()
        torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-3)


def test_float32_gradients_do_not_lose_the_weights_to_a_narrow_component_far_away() -> None:
    """A coordinate in which components are 3000 standard deviations apart leaves what those before it tell exact.

    Taken off a running sum, its density left rounding of its own size: log-weights were off by 0.24, and gradients by
    up to 3.7 % of the largest; left out of the sum, by 4e-7 of it.
    """
    torch.manual_seed(0)
    loc, scale = torch.zeros(2, 8), torch.full((2, 8), 2.0**-10)
    loc[1, 0], loc[1, 7], scale[:, 0] = 0.5, 3.0, 1.0
    logits, component = torch.tensor([0.0, 0.3]), torch.arange(2).repeat(25)
    z = loc[component] + scale[component] * torch.randn(50, 8)
    found = []
    for dtype in (torch.float32, torch.float64):
        leaves = [x.to(dtype).clone().requires_grad_() for x in (logits, loc, scale)]
        found.append(torch.autograd.grad(GaussianMixture(*leaves)._with_path(z.to(dtype)).sum(), leaves))
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5 * double.abs().max().item())


def test_a_variance_is_that_of_components_and_of_their_means() -> None:
    """Float32, means of 1e5 scales: a difference of moments gave 2e-3 where the variance is 1e-6."""
    weights, scale = torch.tensor([0.25, 0.75]), torch.full((2, 2), 1e-3)
    loc = torch.tensor([[100.0, 1.0], [100.0, 3.0]])
    q = GaussianMixture(weights.log(), loc, scale)
    torch.testing.assert_close(q.variance, torch.tensor([1e-6, 0.75 + 1e-6]), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("of_logits", "of_vectors"), [((), (3,)), ((3,), ()), ((1,), (3,))])
def test_weights_and_components_broadcast(of_logits: tuple[int, ...], of_vectors: tuple[int, ...]) -> None:
    """As parameters of torch's distributions do: shared ones are those of every row."""
    logits, loc, scale = torch.randn(*of_logits, 4), torch.randn(*of_vectors, 4, 2), torch.rand(2) + 0.5
    q = GaussianMixture(logits, loc, scale)
    whole = GaussianMixture(logits.expand(3, 4).clone(), loc.expand(3, 4, 2).clone(), scale.expand(3, 4, 2).clone())
    z, some = torch.randn(5, 3, 2), torch.tensor([2, 0])
    assert q.batch_shape == (3,) and q.rsample((5,)).shape == (5, 3, 2) and q.mean.shape == (3, 2)
    torch.testing.assert_close(q.log_prob(z), whole.log_prob(z))
    torch.testing.assert_close(q.rows(some).log_prob(z[:, some]), whole.log_prob(z)[:, some])
    torch.testing.assert_close(q.pairwise_log_prob(z[0]), whole.pairwise_log_prob(z[0]))
    assert q.expand((5, 3)).rsample().shape == (5, 3, 2)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_bound_and_its_gradient_do_not_depend_on_the_estimator(estimator: Estimator) -> None:
    """ELBO of a text model, and its gradient in the posterior's logits: all within 4 standard errors of stratification.

    The reference is 1000 stratified samples of one sentence; estimators get 25 rounds of 40.
    """
    torch.manual_seed(0)
    model = TextVAEConfig(latent_dim=2, posterior=MixturePosteriorConfig(components=3)).build(
        vocab_size=11, max_tokens=9
    )
    scramble(model, scale=0.3).eval()
    batch = random_batch(1)

    def measured(name: Estimator, samples: int) -> tuple[float, Tensor]:
        model.posterior.estimator = name  # type: ignore[assignment]
        terms = model.terms(batch, samples)
        assert len(terms.log_px_z_SB) == samples * (3 if name == "stratified" else 1)
        torch.testing.assert_close(terms.log_weight_SB.exp().sum(0), torch.ones(1))
        loss_B = ELBOConfig().build(steps_per_epoch=1, total_steps=1)(terms, 0).loss_B
        bias = model.posterior.parameters_of.bias  # type: ignore[union-attr]
        (grad,) = torch.autograd.grad(loss_B.sum(), [bias])
        return loss_B.item(), grad[:3]

    reference, reference_grad = measured("stratified", 1000)
    rounds = [measured(estimator, 40) for _ in range(25)]
    losses, grads = np.array([loss for loss, _ in rounds]), torch.stack([grad for _, grad in rounds])
    assert abs(losses.mean() - reference) < 4 * losses.std(ddof=1) * math.sqrt(2 / 25)
    error = grads.std(0) * math.sqrt(2 / 25)
    assert ((grads.mean(0) - reference_grad).abs() < 4 * error).all()


def test_importance_weights_of_a_stratified_posterior_sum_its_components_out() -> None:
    """log (1/S) sum_s sum_k pi_k p(x, z_sk) / q(z_sk): the bound that evaluation forms from the same terms."""
    from textvae.evaluation.likelihood import log_weights_by_sample

    config = MixturePosteriorConfig(components=3, estimator="stratified")
    model = scramble(TextVAEConfig(latent_dim=2, posterior=config).build(vocab_size=11, max_tokens=9)).eval()
    assert isinstance(model, TextVAE)
    terms = model.terms(random_batch(4), 5)
    found = log_weights_by_sample(terms, 5)
    assert found is not None and found.shape == (5, 4)
    group = terms.latents[0]
    assert group.log_q_SU is not None
    log_w = (terms.log_px_z_SB + group.log_p_SU - group.log_q_SU + terms.log_weight_SB).double()
    expected = log_w.view(5, 3, 4).logsumexp(1) + math.log(5)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 4.0])
def test_the_means_of_a_mixture_prior_start_as_far_apart_as_asked(spread: float) -> None:
    """4000 means: a standard deviation of `spread` within 4 standard errors; log p is of the mixture of these."""
    prior = MixturePriorConfig(components=1000, spread=spread).build(latent_dim=4)
    assert prior.loc_KD.std().item() == pytest.approx(spread, abs=4 * spread / 8000**0.5)
    z = torch.randn(5, 4)
    by_component = -0.5 * (z.unsqueeze(1) - prior.loc_KD).square().sum(-1) - 2 * math.log(2 * math.pi)
    torch.testing.assert_close(prior().log_prob(z), by_component.logsumexp(1) - math.log(1000), rtol=1e-4, atol=1e-4)
