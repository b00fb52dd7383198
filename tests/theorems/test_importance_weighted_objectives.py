"""Objectives beyond the ELBO, on models whose bounds and posteriors are known exactly (oracle O1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import OBJECTIVES
from tests.oracles import linear_gaussian as oracle
from tests.unit.training.helpers import LABELS, MODEL, config, training_lines, write_corpora
from textvae.config import parse
from textvae.errors import ConfigError
from textvae.objectives import ELBOConfig, InfoVAEConfig, IWAEConfig, RenyiConfig, UnregularizedConfig, mmd_squared
from textvae.training import TrainConfig, train
from textvae.types import LatentTerms

BUILD = {"steps_per_epoch": 1, "total_steps": 1}
GRADIENTS = ["plain", "sticking_the_landing", "doubly_reparameterized"]


def observed(rows: int) -> oracle.LinearGaussianModel:
    """The same observation many times: as many independent estimates."""
    return oracle.LinearGaussianModel(torch.tensor([oracle.X] * rows, dtype=torch.float64))


def losses(model: Any, objective: Any, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return objective(model.terms(model.batch(), objective.num_samples), 0).loss_B


def encoder_gradients(model: Any, objective: Any, repeats: int) -> Tensor:
    """Independent estimates of the gradient in q's mean, [repeats, 2]."""
    found = []
    for seed in range(repeats):
        (grad,) = torch.autograd.grad(losses(model, objective, seed).mean(), model.posterior.loc)
        found.append(grad)
    return torch.stack(found)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_bounds_are_ordered_and_have_the_values_of_the_card(gradient: str) -> None:
    """4000 estimates of each, seed 0, within 3 standard errors (and the card's own 0.002)."""
    model, mean, error = observed(4000), {}, {}
    for k in (1, 5, 50):
        bound = -losses(model, IWAEConfig(samples=k, gradient=gradient).build(**BUILD)).detach()
        mean[k], error[k] = float(bound.mean()), float(bound.std()) / len(bound) ** 0.5
    assert mean[1] == pytest.approx(oracle.ELBO, abs=3 * error[1])
    for k, expected in oracle.IWAE.items():
        assert mean[k] == pytest.approx(expected, abs=3 * error[k] + 0.002)
    assert mean[1] < mean[5] < mean[50] < oracle.LOG_P + 3 * error[50]


@pytest.mark.parametrize("k", [1, 8])
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_at_the_exact_posterior_the_bound_is_the_likelihood(gradient: str, k: int) -> None:
    """Every weight is p(x); the path gradients are zero sample by sample, the plain one only on average."""
    model = oracle.LinearGaussianModel()
    exact = model.exact_posterior()
    mean = exact.mean.detach().clone().requires_grad_()
    covariance = exact.covariance_matrix.detach()

    class Movable(torch.nn.Module):
        def forward(self, x_BX: Tensor) -> oracle.FullGaussian:
            return oracle.FullGaussian(mean, covariance)

    model.posterior = Movable()
    loss_B = losses(model, IWAEConfig(samples=k, gradient=gradient).build(**BUILD))
    assert loss_B.item() == pytest.approx(-oracle.LOG_P, abs=1e-8)
    (grad,) = torch.autograd.grad(loss_B.sum(), mean)
    if gradient == "plain":
        assert grad.abs().max() > 1e-3
    else:
        assert grad.abs().max() < 1e-10


@pytest.mark.parametrize("beta", [0.0, 0.25, 0.5, 1.0])
def test_doubly_reparameterized_gradients_are_unbiased_and_quieter(beta: float) -> None:
    """k = 8, 5000 estimates at every KL weight: the plain mean within 3 standard errors of the difference, a third of
    its noise at most at weight 1 and less than its noise below; at weight 0 they are the plain ones."""
    model = observed(50)
    plain, double = (encoder_gradients(model, weighted(g, beta), 100) for g in ("plain", "doubly_reparameterized"))
    if beta == 0.0:
        torch.testing.assert_close(double, plain)
        return
    difference = plain - double  # of the same draws
    assert (difference.mean(0).abs() < 3 * difference.std(0) / 100**0.5).all()
    assert (double.std(0) < plain.std(0) * (1 / 3 if beta == 1.0 else 1.0)).all()


@pytest.mark.parametrize("beta", [0.0, 0.25, 0.5, 1.0])
def test_sticking_the_landing_lacks_beta_times_the_score(beta: float) -> None:
    """What it leaves out is beta sum_s share_s d log q(z_s): nothing at weight 0, zero in the mean at k = 1, whatever
    the weight, and not so at k = 8 (3 standard errors of the difference)."""
    model = observed(50)
    for k in (1, 8):
        plain, landing = (encoder_gradients(model, weighted(g, beta, k), 100) for g in GRADIENTS[:2])
        if beta == 0.0:
            torch.testing.assert_close(landing, plain)
            continue
        difference = plain - landing  # of the same draws
        far = difference.mean(0).abs() > 3 * difference.std(0) / 100**0.5
        assert far.any() if k > 1 else not far.any()


def weighted(gradient: str, beta: float, k: int = 8) -> Any:
    return IWAEConfig(samples=k, gradient=gradient, kl_weight={"kind": "constant", "weight": beta}).build(**BUILD)


def test_the_decoders_gradient_is_the_same_whatever_the_encoders_is() -> None:
    model = observed(20)
    found = []
    for gradient in GRADIENTS:
        loss = losses(model, IWAEConfig(samples=4, gradient=gradient).build(**BUILD)).sum()
        found.append(torch.autograd.grad(loss, model.decoder.weight)[0])
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_renyi_runs_from_the_importance_weighted_bound_to_the_elbo() -> None:
    model = observed(500)
    iwae = losses(model, IWAEConfig(samples=6, gradient="plain").build(**BUILD))
    torch.testing.assert_close(losses(model, RenyiConfig(alpha=0.0, samples=6).build(**BUILD)), iwae)
    orders = [-1.0, 0.0, 0.5, 0.9, 0.999, 2.0]
    bounds = torch.stack([-losses(model, RenyiConfig(alpha=a, samples=6).build(**BUILD)) for a in orders])
    assert (bounds.diff(dim=0) < 0).all(), "on the same samples it falls as alpha rises, sentence by sentence"
    torch.manual_seed(0)
    terms = model.terms(model.batch(), 6)
    group = terms.latents[0]
    by_samples = (terms.log_px_z_SB + group.log_p_SU - group.log_q_SU).mean(0)
    torch.testing.assert_close(bounds[4], by_samples, atol=5e-3, rtol=0)
    with pytest.raises(ConfigError, match="use the objective elbo"):
        parse(RenyiConfig, {"alpha": 1.0}, "test")


RISE: dict[str, Any] = {"kind": "linear", "start": 0, "end": 10, "unit": "steps", "final": 1.5}
"""By step 0, 4 and 10: weights 0, 0.6 and 1.5."""


def stratified_terms() -> LatentTerms:
    """Three observations, four samples of unequal weights: the numbers that the formulas below are made of."""
    model = oracle.LinearGaussianModel(torch.tensor([oracle.X] * 3, dtype=torch.float64))
    terms = model.terms(model.batch(), 4)
    return replace(terms, log_weight_SB=torch.randn(4, 3, dtype=torch.float64).log_softmax(0))


def by_hand(terms: LatentTerms) -> tuple[np.ndarray, ...]:
    """log p(x|z), log p(z) - log q(z|x) and the weights of the samples."""
    group = terms.latents[0]
    assert group.log_q_SU is not None
    parts = (terms.log_px_z_SB, group.log_p_SU - group.log_q_SU, terms.log_weight_SB.exp())
    return tuple(part.detach().numpy() for part in parts)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (4, 0.6), (10, 1.5)])
def test_the_weight_of_the_kl_is_within_every_importance_weight(step: int, weight: float) -> None:
    """w_s = p(x|z_s) (p(z_s) / q(z_s|x))^weight: IWAE is -log E w, Renyi -1 / (1 - alpha) log E w^(1 - alpha)."""
    terms = stratified_terms()
    log_px_SB, log_ratio_SB, share_SB = by_hand(terms)
    w_SB = np.exp(log_px_SB + weight * log_ratio_SB)
    losses: list[tuple[Any, np.ndarray]] = [
        (IWAEConfig(samples=4, gradient=gradient, kl_weight=RISE), -np.log((share_SB * w_SB).sum(0)))  # type: ignore[arg-type]
        for gradient in GRADIENTS
    ]
    for alpha in (-1.0, 0.0, 0.3, 0.9, 2.0):
        power = 1.0 - alpha
        expected_B = -np.log((share_SB * w_SB**power).sum(0)) / power
        losses.append((RenyiConfig(alpha=alpha, samples=4, kl_weight=RISE), expected_B))
    for objective, expected_B in losses:
        out = objective.build(**BUILD)(terms, step)
        np.testing.assert_allclose(out.loss_B.detach(), expected_B, rtol=1e-10)
        nll_B = -(share_SB * log_px_SB).sum(0)
        np.testing.assert_allclose(out.metrics_B["kl_penalty"], expected_B - nll_B, rtol=1e-8, atol=1e-10)
        assert out.kl_weight == weight


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (4, 0.6), (10, 1.5)])
@pytest.mark.parametrize(("alpha", "scale"), [(1.0, 10.0), (0.25, 2.0), (-0.5, 1.5), (0.0, 1.0)])
def test_info_vae_weighs_both_of_its_penalties(alpha: float, scale: float, step: int, weight: float) -> None:
    """nll + weight ((1 - alpha) KL + (alpha + scale - 1) MMD^2), with the MMD^2 that is charged alone at alpha = 1."""
    terms = stratified_terms()
    log_px_SB, _, share_SB = by_hand(terms)
    nll_B, kl_B = -(share_SB * log_px_SB).sum(0), terms.latents[0].kl_U
    assert kl_B is not None

    def loss(step: int, **settings: Any) -> np.ndarray:
        torch.manual_seed(0)
        return InfoVAEConfig(**settings).build(**BUILD)(terms, step).loss_B.detach().numpy()

    mmd_B = loss(0, alpha=1.0, scale=1.0) - nll_B
    assert np.abs(mmd_B).min() > 0.01
    penalty_B = (1.0 - alpha) * kl_B.detach().numpy() + (alpha + scale - 1.0) * mmd_B
    np.testing.assert_allclose(loss(step, alpha=alpha, scale=scale, weight=RISE), nll_B + weight * penalty_B, rtol=1e-9)


def test_info_vae_without_its_extras_is_the_elbo() -> None:
    model = observed(30)
    elbo = losses(model, ELBOConfig().build(**BUILD))
    torch.testing.assert_close(losses(model, InfoVAEConfig(alpha=0.0, scale=1.0).build(**BUILD)), elbo)
    bare = losses(model, InfoVAEConfig(alpha=1.0, scale=0.0).build(**BUILD))
    torch.testing.assert_close(bare, losses(model, UnregularizedConfig().build(**BUILD)))
    torch.manual_seed(0)
    terms = model.terms(model.batch(), 1)
    torch.testing.assert_close(bare, -terms.log_px_z_SB[0])


def test_mmd_is_zero_in_expectation_between_equals() -> None:
    """MMD of two samples of one distribution is zero within 3 standard errors, of two distributions it is not."""
    generator = torch.Generator().manual_seed(0)
    found = [
        float(mmd_squared(torch.randn(60, 4, generator=generator), torch.randn(60, 4, generator=generator)))
        for _ in range(300)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / 300**0.5
    apart = float(mmd_squared(torch.randn(60, 4, generator=generator), 1.0 + torch.randn(60, 4, generator=generator)))
    assert apart > 5 * np.std(found)


def test_mmd_is_the_u_statistic() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)

    def kernel(a: Tensor, b: Tensor) -> float:
        return float(np.mean([np.exp(-float((a - b).square().sum()) / (2 * h)) for h in (1.5, 3.0, 6.0)]))

    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(5) for j in range(5) if i != j) / 20
    between = sum(kernel(a, b) for a in x for b in y) / 25
    assert float(mmd_squared(x, y)) == pytest.approx(within - 2 * between, abs=1e-12)
    assert float(mmd_squared(x[:1], y[:1])) == 0.0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains_text(name: str, tmp_path: Path) -> None:
    """Raw KL and NLL are logged under their names whatever is trained on, and the loss falls."""
    train_corpus, valid_corpus, tokenizer = write_corpora(tmp_path)
    settings = config(
        objective=OBJECTIVES[name].model_dump(mode="json"),
        model={**MODEL, "decoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 9}},
        epochs=6,
        optimizer={"kind": "adam", "lr": 0.02},
        guard_sentences=0,
    )
    result = train(
        settings, train_corpus, valid_corpus, tmp_path / "out", seed=0, tokenizer=tokenizer, label_names=LABELS
    )
    lines = training_lines(tmp_path / "out")
    assert np.mean([line["loss"] for line in lines[-6:]]) < np.mean([line["loss"] for line in lines[:6]])
    assert all(np.isfinite([line["nll"], line["kl"], line["kl_penalty"]]).all() for line in lines)
    assert result.valid_elbo_nll is not None and np.isfinite(result.valid_elbo_nll)


def test_objectives_that_cannot_be_are_refused() -> None:
    model = oracle.LinearGaussianModel()
    terms = model.terms(model.batch(), 2)
    implicit = replace(terms, latents=(replace(terms.latents[0], log_q_SU=None),))
    with pytest.raises(ConfigError, match="no density"):
        IWAEConfig(samples=2).build(**BUILD)(implicit, 0)
    shared = replace(terms, latents=(replace(terms.latents[0], unit_B=torch.zeros(1, dtype=torch.int64)),))
    with pytest.raises(ConfigError, match="share"):
        RenyiConfig(samples=2).build(**BUILD)(shared, 0)
    label = replace(terms, latents=(replace(terms.latents[0], z_SUD=torch.zeros(2, 1, dtype=torch.int64)),))
    with pytest.raises(ConfigError, match="compares the code vectors"):
        InfoVAEConfig().build(**BUILD)(label, 0)
    with pytest.raises(ConfigError, match="would scale"):
        parse(TrainConfig, {"objective": {"kind": "iwae"}, "regularizers": [{"kind": "bag_of_words"}]}, "test")


def mixed(estimator: str) -> dict[str, Any]:
    return {"kind": "text_vae", "posterior": {"kind": "mixture", "components": 2, "estimator": estimator}}


def test_gradients_that_would_be_wrong_are_refused() -> None:
    """What a score cannot follow, and what takes strata for draws of q; the rest of the crossing is accepted."""
    score, strata = 'posterior.estimator = "pathwise"', 'objective.gradient = "plain" or posterior.estimator'
    refused = {
        ("score", "iwae-plain"): score,
        ("score", "iwae-sticking_the_landing"): score,
        ("score", "iwae-doubly_reparameterized"): score,
        ("score", "renyi"): score,
        ("score", "info_vae"): score,
        ("score", "info_vae-kl"): score,
        ("stratified", "iwae-sticking_the_landing"): strata,
        ("stratified", "iwae-doubly_reparameterized"): strata,
    }
    for estimator in ("pathwise", "stratified", "score"):
        for name, objective in OBJECTIVES.items():
            table = {"model": mixed(estimator), "objective": objective.model_dump(mode="json")}
            # One that is not written down is refused by what it declares.
            cure = refused.get((estimator, name))
            if estimator == "score" and not objective.linear:
                cure = cure or score
            elif estimator == "stratified" and objective.gradient_estimator != "plain":
                cure = cure or strata
            if cure is not None:
                with pytest.raises(ConfigError, match=cure):
                    parse(TrainConfig, table, "test")
            else:
                parse(TrainConfig, table, "test")
