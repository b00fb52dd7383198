"""Theorems about bounds that hold for every model: order, collapse, streams, and independence of batching."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.components import DECODERS, LABEL_FORMS, SMALL, scramble
from tests.oracles.corpus import ListCorpus
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.evaluation import EvaluateConfig, LogMeanExp, evaluate, likelihood
from textvae.evaluation.noise import SAMPLE_BLOCK, Stream, draw
from textvae.generation import GreedyConfig, SamplingConfig
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, TextVAEConfig

SIZES = {"vocab_size": 12, "max_tokens": 9}
PARTS = {"encoder": LSTMEncoderConfig(**SMALL), "latent_dim": 3}


def corpus(sentences: int = 60, labels: bool = False) -> ListCorpus:
    rng = np.random.default_rng(0)
    rows = [rng.integers(4, 12, rng.integers(1, 9)).tolist() for _ in range(sentences)]
    return ListCorpus(rows, [row[0] % 2 for row in rows] if labels else None)


def vae(decoder: str = "lstm-both-2-layers", seed: int = 0, scale: float = 0.4) -> nn.Module:
    torch.manual_seed(seed)
    return scramble(TextVAEConfig(**PARTS, decoder=DECODERS[decoder]).build(**SIZES), seed, scale)


@pytest.mark.parametrize("sizes", [[1] * 12, [5, 7], [12], [3, 4, 5]])
@pytest.mark.parametrize("group", [1, 4, 6, 12])
def test_a_stream_equals_one_log_mean_exp(sizes: list[int], group: int) -> None:
    log_w = 50 * torch.randn(12, 7, dtype=torch.float64) - 900
    log_w[3, 2] = -torch.inf
    stream = LogMeanExp(group)
    for chunk in log_w.split(sizes):
        stream.update(chunk)
    expected = (log_w.unflatten(0, (-1, group)).logsumexp(1) - math.log(group)).mean(0)
    torch.testing.assert_close(stream.value(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
@pytest.mark.parametrize("samples", [70, 150])
def test_the_likelihood_is_one_log_mean_exp_of_its_own_draws(
    samples: int, dtype: torch.dtype, tolerance: float
) -> None:
    """Its draws come from the public functions of noise, its weights from the densities: log (1/k) sum p / q.

    150 samples are two blocks of draws; a budget of 100 tokens gives each decoder call a few samples of a sentence.
    """
    model, sentences = vae(scale=0.6).to(dtype).eval(), corpus(12)
    found = likelihood(model, sentences, num_samples=samples, seed=3, batch_tokens=100)
    ids = np.arange(12)
    batch = sentences.batch(ids)
    with torch.no_grad():
        q, p = model.posterior_of(batch), model.prior()
        blocks = [min(SAMPLE_BLOCK, samples - first) for first in range(0, samples, SAMPLE_BLOCK)]
        drawn = [draw(q, ids, 3, count, Stream.LIKELIHOOD + block) for block, count in enumerate(blocks)]
        z_SBD, log_q_SB = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        torch.testing.assert_close(log_q_SB, q.log_prob(z_SBD))
        log_px_SB = model.decoder.log_prob(batch.tokens_BT, z_SBD).double()
        log_w_SB = log_px_SB + p.log_prob(z_SBD).double() - log_q_SB.double()
    assert len(z_SBD) == samples and (log_w_SB.std(0) > 0.1).all()
    bound_B = log_w_SB.logsumexp(0) - math.log(samples)
    assert found.iw_nll is not None and found.elbo_nll is not None and found.kl is not None
    np.testing.assert_allclose(found.iw_nll, -bound_B, rtol=tolerance, atol=0)
    np.testing.assert_allclose(found.rec_nll, -log_px_SB.mean(0), rtol=tolerance, atol=0)
    exact_B = 0.5 * (q.scale.square() + q.loc.square() - 1.0 - 2.0 * q.scale.log()).sum(-1)
    np.testing.assert_allclose(found.kl, exact_B.double(), rtol=10 * tolerance, atol=tolerance)
    np.testing.assert_allclose(found.elbo_nll, found.rec_nll + found.kl, rtol=1e-12)
    # And of any fewer: the means of disjoint groups.
    for k, values_N in found.curve.items():
        groups = log_w_SB[: samples // k * k].unflatten(0, (-1, k)).logsumexp(1) - math.log(k)
        np.testing.assert_allclose(values_N, -groups.mean(0), rtol=tolerance, atol=0)


@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "transformer-prefix"])
def test_no_metric_depends_on_the_batch_budget(decoder: str) -> None:
    model, sentences = vae(decoder), corpus(30)
    settings: dict[str, Any] = {"iw_samples": 6, "quality_samples": 5, "decoding": SamplingConfig(max_tokens=9)}
    settings["reconstruct_decoding"] = GreedyConfig(max_tokens=9)
    one, other = (
        evaluate(model, sentences, EvaluateConfig(**settings, batch_tokens=budget)) for budget in (100_000, 120)
    )
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert other[name] == (pytest.approx(value, rel=1e-4, abs=1e-5) if isinstance(value, float) else value), name


def test_a_sentences_bound_does_not_depend_on_its_company() -> None:
    model, sentences = vae(), corpus(30)
    whole = likelihood(model, sentences, num_samples=150)
    order = np.array([27, 3, 14])
    some = likelihood(model, sentences, order, num_samples=150, batch_tokens=300)
    np.testing.assert_allclose(some.iw_nll, whole.iw_nll[order], rtol=1e-5)
    np.testing.assert_allclose(some.elbo_nll, whole.elbo_nll[order], rtol=1e-5)


def test_bounds_are_ordered_for_an_untrained_model() -> None:
    found = likelihood(vae(), corpus(100), num_samples=50)
    mean = [found.curve[k].mean() for k in sorted(found.curve)]
    assert mean == sorted(mean, reverse=True)
    np.testing.assert_allclose(found.elbo_nll, found.rec_nll + found.kl)


class PriorPosterior(nn.Module):
    """q(z|x) = p(z), whatever x is."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def forward(self, features_BH: Tensor, context: object = None) -> object:
        from textvae.distributions import DiagonalGaussian

        shape = (len(features_BH), self.latent_dim)
        return DiagonalGaussian(torch.zeros(shape), torch.ones(shape))


def test_a_collapsed_model_is_called_so() -> None:
    """z reaches nothing in the decoder and q is the prior: a language model in disguise, and every sign says so."""
    model = vae("lstm-every")
    model.posterior = PriorPosterior(3)  # type: ignore[assignment]
    weight = model.decoder.stack.forward_layers[0].weight_ih_l0  # type: ignore[union-attr]
    with torch.no_grad():
        weight[:, SMALL["embedding_dim"] :] = 0.0
    found = evaluate(model, corpus(), EvaluateConfig(iw_samples=5, quality_samples=0))
    assert found["collapsed"] and found["verdict"].startswith("Collapsed")
    assert found["active_units"] == 0 and found["kl"] == pytest.approx(0, abs=1e-6)
    assert found["mi"] == pytest.approx(0, abs=1e-6) and found["permuted_rise"] == pytest.approx(0, abs=1e-4)
    assert found["iw_nll"] == pytest.approx(found["elbo_nll"], rel=1e-5)


def test_a_language_models_likelihood_is_exact() -> None:
    torch.manual_seed(0)
    model = scramble(LanguageModelConfig(decoder=LSTMDecoderConfig(**SMALL)).build(**SIZES))
    sentences = corpus()
    found = evaluate(model, sentences, EvaluateConfig(iw_samples=50, quality_samples=0))
    whole = sentences.batch(np.arange(len(sentences)))
    exact = -model.decoder.log_prob(whole.tokens_BT, torch.zeros(1, len(sentences), 0)).mean().item()
    assert found["iw_nll"] == found["elbo_nll"] == pytest.approx(exact, rel=1e-5)
    assert found["iw_nll_se"] == 0 and found["kl"] == 0
    assert "mi" not in found and "collapsed" not in found and "active_units" not in found


def deafen(decoder: nn.Module) -> None:
    """Make the distribution of words the same for every z."""
    with torch.no_grad():
        if getattr(decoder, "initial", None) is not None:
            decoder.initial.weight.zero_()
        if hasattr(decoder, "z_projection"):
            decoder.z_projection.weight.zero_()
        if hasattr(decoder, "stack"):
            first = SMALL["embedding_dim"]
            decoder.stack.forward_layers[0].weight_ih_l0[:, first : first + decoder.latent_dim] = 0.0


@pytest.mark.parametrize("decoder", LABEL_FORMS)
def test_labels_are_summed_out_and_never_seen(decoder: str) -> None:
    """With a decoder deaf to z, p(x) = sum_y p(y) p(x|y) is exact; the importance weights must find it."""
    torch.manual_seed(0)
    config = SemiSupervisedConfig(**PARTS, decoder=DECODERS[decoder])
    model = scramble(config.build(**SIZES, label_names=("0", "1")), scale=0.3)
    deafen(model.decoder)
    model.posterior = PriorPosterior(3)  # type: ignore[assignment]
    labelled, plain = corpus(labels=True), corpus()
    found, hidden = (likelihood(model, sentences, num_samples=4) for sentences in (labelled, plain))
    whole = plain.batch(np.arange(len(plain)))
    from textvae.types import Context

    by_label = [
        model.decoder.eval().log_prob(
            whole.tokens_BT, torch.zeros(1, len(plain), 3), Context(label_B=torch.full((len(plain),), label))
        )[0]
        for label in (0, 1)
    ]
    exact = -(torch.stack(by_label) + model.log_prior_C.unsqueeze(1)).logsumexp(0)
    np.testing.assert_allclose(found.iw_nll, exact.detach(), rtol=1e-4)
    np.testing.assert_allclose(hidden.iw_nll, found.iw_nll, rtol=1e-6)
    assert (found.elbo_nll > found.iw_nll - 1e-4).all()
