"""Refinement: never worse, as good as a diagonal Gaussian can be where that is known, fit for training and bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import DECODERS, SMALL, random_batch, scramble
from tests.oracles import linear_gaussian as oracle
from tests.oracles.corpus import ListCorpus
from textvae.decoders import LSTMDecoderConfig
from textvae.distributions import DiagonalGaussian
from textvae.encoders import LSTMEncoderConfig
from textvae.evaluation import EvaluateConfig, evaluate, likelihood
from textvae.generation import inference
from textvae.layers import keyed_normal, sentence_keys
from textvae.models import LogJoint, SemiSupervisedConfig, TextVAE, TextVAEConfig
from textvae.objectives import ELBOConfig
from textvae.posteriors import SemiAmortizedPosteriorConfig
from textvae.posteriors.semi_amortized import Parameters, balanced_noise, bound_and_natural_gradient
from textvae.types import Batch

SIZES = {"vocab_size": 11, "max_tokens": 9}
D = 3
WILD = {"lr": 30.0, "momentum": 0.9, "clip": 100.0}


def model_of(decoder: str = "lstm-both-2-layers", scale: float = 0.5, **settings: Any) -> TextVAE:
    torch.manual_seed(0)
    parts = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": DECODERS[decoder], "latent_dim": D}
    posterior = SemiAmortizedPosteriorConfig(**settings)
    return scramble(TextVAEConfig(posterior=posterior, **parts).build(**SIZES), scale=scale)  # type: ignore[arg-type, return-value]


def start_of(model: TextVAE, batch: Batch) -> DiagonalGaussian:
    return model.posterior(model.encoder(batch.tokens_BT, batch.lengths_B))  # type: ignore[return-value]


def fixed_noise_bound(model: TextVAE, q: DiagonalGaussian, batch: Batch) -> Tensor:
    noise = balanced_noise(sentence_keys(batch.tokens_BT), model.posterior.config.samples, D, q.loc.dtype)  # type: ignore[union-attr]
    return bound_and_natural_gradient(Parameters(q.loc, q.scale.log()), model.log_joint(batch), noise).value_B


def test_keyed_noise_is_normal_and_a_function_of_the_words() -> None:
    """200 000 numbers: mean, variance, fourth moment and neighbors' correlation within 4 standard errors."""
    keys = sentence_keys(torch.randint(3, 50, (1000, 7)))
    x = keyed_normal(keys, 20, 10, torch.float64)
    for moment, expected, variance in ((x, 0, 1), (x.square(), 1, 2), (x**4, 3, 96)):
        assert abs(moment.mean().item() - expected) < 4 * (variance / x.numel()) ** 0.5
    for one, other in ((x[1:], x[:-1]), (x[:, 1:], x[:, :-1]), (x[..., 1:], x[..., :-1])):
        assert abs((one * other).mean().item()) < 4 / one.numel() ** 0.5
    batch, padded = random_batch(), random_batch(extra_padding=3)
    assert torch.equal(sentence_keys(batch.tokens_BT), sentence_keys(padded.tokens_BT))
    assert len(set(sentence_keys(torch.randint(3, 6, (81, 4)).unique(dim=0)).tolist())) > 40


@pytest.mark.parametrize("samples", [2, 6, 8])
def test_balanced_noise_has_exact_moments(samples: int) -> None:
    noise = balanced_noise(torch.arange(5), samples, D, torch.float64)
    torch.testing.assert_close(noise.mean(0), torch.zeros(5, D, dtype=torch.float64))
    second = torch.einsum("sbd,sbe->bde", noise, noise) / samples
    torch.testing.assert_close(second.diagonal(dim1=1, dim2=2), torch.ones(5, D, dtype=torch.float64))
    exact = (second - torch.eye(D, dtype=torch.float64)).abs().max() < 1e-10
    assert exact == (samples >= 2 * D)


@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "gru-both", "transformer-prefix", "lstm-inputless"])
@pytest.mark.parametrize("settings", [{}, WILD, {"samples": 4, "momentum": 0.5}])
def test_refinement_never_lowers_a_bound(decoder: str, settings: dict[str, Any]) -> None:
    """float64, sentence by sentence under the same noise; wild steps included. On the whole it raises them much."""
    model, batch = model_of(decoder, **settings).double(), random_batch(sentences=20)
    first, last = (fixed_noise_bound(model, q, batch) for q in (start_of(model, batch), model.posterior_of(batch)))
    assert (last >= first - 1e-9).all()
    assert (last - first).mean() > 0.3


def test_no_steps_change_nothing() -> None:
    model, batch = model_of(steps=0), random_batch()
    start, q = start_of(model, batch), model.posterior_of(batch)
    assert torch.equal(start.loc, q.mean) and torch.equal(start.scale, q.scale)  # type: ignore[attr-defined]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_best_diagonal_gaussian_is_found(momentum: float) -> None:
    """O1: the gap that is left is that of the best diagonal Gaussian, .009410, from a start .255331 away."""
    model = oracle.LinearGaussianModel()
    batch, start = model.batch(), model.posterior_of(model.batch())
    log_joint = LogJoint(model.decoder, model.prior(), batch.tokens_BT)
    config = SemiAmortizedPosteriorConfig(steps=60, samples=4, momentum=momentum)
    posterior = config.build(feature_dim=4, latent_dim=2)
    q = posterior.refine(start, log_joint, sentence_keys(batch.tokens_BT)).posterior
    exact = model.exact_posterior()

    def gap(q: DiagonalGaussian) -> float:
        full = torch.distributions.MultivariateNormal(q.loc, q.scale.square().diag_embed())
        return torch.distributions.kl_divergence(full, exact).item()

    assert gap(start) == pytest.approx(0.255331, abs=1e-6)  # type: ignore[arg-type]
    assert gap(q) == pytest.approx(oracle.BEST_DIAGONAL_GAP, abs=2e-6)
    best = oracle.BestDiagonalPosterior(model)(model.x_NX)
    torch.testing.assert_close(q.mean, best.mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(q.scale, best.scale, rtol=1e-3, atol=1e-3)


def test_the_gap_to_the_importance_weighted_bound_closes() -> None:
    """200 sentences: the refined ELBO is higher by more than 4 standard errors, and nearer to IW-100."""
    rng = np.random.default_rng(0)
    corpus = ListCorpus([rng.integers(4, 11, rng.integers(1, 9)).tolist() for _ in range(200)])
    found = {steps: likelihood(model_of(steps=steps), corpus, num_samples=100) for steps in (0, 10)}
    rise = found[0].elbo_nll - found[10].elbo_nll
    assert rise.mean() > 4 * rise.std() / 200**0.5
    gaps = {steps: (one.elbo_nll - one.iw_nll).mean() for steps, one in found.items()}
    assert gaps[10] < 0.6 * gaps[0]
    assert found[10].iw_nll.mean() < found[0].iw_nll.mean() + 0.02


@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "transformer-prefix"])
def test_a_sentences_posterior_is_its_own(decoder: str) -> None:
    """Neither its company, nor padding, nor the random state, nor the mode, nor a context without gradients matter."""
    model = model_of(decoder).double()
    batch, padded = random_batch(sentences=6), random_batch(sentences=6, extra_padding=2)
    state = torch.random.get_rng_state()
    q = model.eval().posterior_of(batch)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(5)
    some = Batch(padded.tokens_BT[[4, 1]], padded.lengths_B[[4, 1]])
    with inference(model.train()):
        other = model.posterior_of(some)
    torch.testing.assert_close(other.mean, q.mean[[4, 1]], rtol=1e-7, atol=1e-8)
    with torch.inference_mode():
        third = model.posterior_of(some)
    torch.testing.assert_close(third.scale, q.scale[[4, 1]], rtol=1e-7, atol=1e-8)  # type: ignore[attr-defined]


def test_gradients_are_those_of_both_bounds() -> None:
    """The encoder's outputs get the gradient of the refined parameters (what the steps added is a constant), and
    through the surrogate that of their own fixed-noise bound, by finite differences; its value is exactly zero."""
    model, batch = model_of().double().eval(), random_batch()
    start = start_of(model, batch)
    log_joint, keys = model.log_joint(batch), sentence_keys(batch.tokens_BT)
    found = model.posterior.refine(start, log_joint, keys)  # type: ignore[operator]
    q = found.posterior
    weights = torch.randn(2, *q.loc.shape, dtype=torch.float64)
    value = (weights[0] * q.loc).sum() + (weights[1] * q.scale.log()).sum()
    by_loc, by_scale = torch.autograd.grad(value, [start.loc, start.scale], retain_graph=True)
    torch.testing.assert_close(by_loc, weights[0])
    torch.testing.assert_close(by_scale * start.scale, weights[1])
    assert all(parameter.grad is None for parameter in model.parameters())

    assert not found.surrogate_B.any()
    slopes = torch.autograd.grad(found.surrogate_B.sum(), [start.loc, start.scale])
    for slope, direction in zip(slopes, (weights[0], weights[1] * start.scale.detach()), strict=True):
        values = []
        for sign in (1e-6, -1e-6):
            shift = [sign * direction if slope is one else 0.0 for one in slopes]
            moved = DiagonalGaussian(start.loc.detach() + shift[0], start.scale.detach() + shift[1])
            values.append(fixed_noise_bound(model, moved, batch))
        torch.testing.assert_close((slope * direction).sum(-1), (values[0] - values[1]) / 2e-6, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("decoder", ["lstm-word-dropout", "transformer-prefix"])
def test_training_raises_the_bound_of_encoder_and_refinement(decoder: str) -> None:
    """25 steps of Adam on 20 sentences: the refined bound rises, the encoder's own too, and they come nearer."""
    model, batch = model_of(decoder, scale=0.4, steps=3, samples=2), random_batch(sentences=20)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    objective = ELBOConfig().build(steps_per_epoch=1, total_steps=40)
    own, refined = (fixed_noise_bound(model, q, batch) for q in (start_of(model, batch), model.posterior_of(batch)))
    for step in range(25):
        output = objective(model.terms(batch), step)
        kl = torch.distributions.kl_divergence(model.posterior_of(batch), model.prior())
        torch.testing.assert_close(output.metrics_B["kl"], kl)
        optimizer.zero_grad()
        output.loss_B.mean().backward()
        optimizer.step()
        assert model.training and all(parameter.grad is not None for parameter in model.encoder.parameters())
    later = [fixed_noise_bound(model, q, batch) for q in (start_of(model, batch), model.posterior_of(batch))]
    assert later[0].mean() > own.mean() + 1 and later[1].mean() > refined.mean() + 1
    assert (later[1] - later[0]).mean() < (refined - own).mean()


def test_a_whole_evaluation_is_of_the_refined_posterior() -> None:
    rng = np.random.default_rng(0)
    corpus = ListCorpus([rng.integers(4, 11, rng.integers(1, 9)).tolist() for _ in range(30)])
    settings: dict[str, Any] = {"iw_samples": 5, "quality_samples": 0, "samples": 0}
    found = [evaluate(model_of(steps=3), corpus, EvaluateConfig(**settings, batch_tokens=n)) for n in (100, 10_000)]
    for name, value in found[0].items():
        expected = pytest.approx(value, rel=1e-3, abs=1e-4) if isinstance(value, float) else value
        assert found[1][name] == expected, name
    assert found[0]["mi"] > 0.5


def test_every_label_is_refined() -> None:
    config = SemiSupervisedConfig(
        latent_dim=D,
        encoder=LSTMEncoderConfig(**SMALL),
        decoder=LSTMDecoderConfig(**SMALL),
        posterior=SemiAmortizedPosteriorConfig(),
    )
    # Refinement multiplies rounding errors, which depend on the processor: hence double precision.
    model = scramble(config.build(**SIZES, label_names=("a", "b")), scale=0.4).eval().double()
    batch = random_batch(labels=2)
    terms = model.terms(Batch(batch.tokens_BT, batch.lengths_B), 1)  # type: ignore[operator]
    loc_CBD = terms.latents[0].posterior.mean
    assert batch.label_B is not None
    given = model.posterior_of(batch).mean  # type: ignore[operator]
    torch.testing.assert_close(loc_CBD[batch.label_B, torch.arange(5)], given, rtol=1e-4, atol=1e-4)


def test_half_precision_refines_too() -> None:
    """bf16 autocast, as training has it: bounds as in float32 but for rounding, and a gradient for every parameter."""
    model, batch = model_of(scale=0.3, steps=5), random_batch(sentences=20)
    plain = fixed_noise_bound(model, model.posterior_of(batch), batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q = model.posterior_of(batch)
        model.terms(batch).log_px_z_SB.mean().backward()
    torch.testing.assert_close(fixed_noise_bound(model, q, batch).mean(), plain.mean(), rtol=0, atol=0.2)
    assert q.mean.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
