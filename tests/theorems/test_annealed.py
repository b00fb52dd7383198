"""Annealing where log p(x) is known (O1), and on text models against every other bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import DECODERS, SMALL, scramble
from tests.oracles import linear_gaussian as oracle
from tests.oracles import markov_mixture
from tests.oracles.corpus import ListCorpus
from textvae.commands.evaluate import evaluate_run
from textvae.distributions import DiagonalGaussian
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.evaluation import (
    AISConfig,
    AnnealingPath,
    EvaluateConfig,
    Sandwich,
    Simulated,
    annealed_likelihood,
    bidirectional,
    evaluate,
    likelihood,
    simulate,
)
from textvae.evaluation.annealed import log_mean_exp, schedule
from textvae.models import LanguageModelConfig, LogJoint, SemiSupervisedConfig, TextVAE, TextVAEConfig
from textvae.pipeline.report.metrics import metric_rows
from textvae.posteriors import SemiAmortizedPosteriorConfig
from textvae.text.tokenizers import WordConfig
from textvae.types import EOS_ID

ROWS = 400
F64 = torch.float64


def path_of(
    steps: int, start: str = "prior", rows: int = ROWS, leapfrog: int = 5
) -> tuple[AnnealingPath, Tensor, Tensor, list[Tensor]]:
    """The one observation of O1 many times; draws of the start; exact draws of p(z|x); step sizes."""
    model = oracle.LinearGaussianModel(torch.tensor([oracle.X] * rows, dtype=F64))
    q = model.prior() if start == "prior" else model.posterior_of(model.batch())
    shape = torch.Size((1, rows) if start == "prior" else (1,))
    z = q.sample(shape)
    exact = model.exact_posterior()
    mean, precision, log_p = exact.mean.detach(), exact.precision_matrix[0].detach(), oracle.LOG_P
    constant = log_p - np.log(2 * np.pi) + 0.5 * torch.linalg.slogdet(precision)[1]

    def log_joint(z: Tensor) -> tuple[Tensor, Tensor]:
        pull = (mean - z) @ precision
        return constant - 0.5 * ((mean - z) * pull).sum(-1), pull

    torch.testing.assert_close(log_joint(z)[0], model.log_joint(z, model.batch()).detach())
    path = AnnealingPath(log_joint, q, torch.arange(rows), steps=steps, leapfrog=leapfrog)
    # As an evaluation does: step sizes that know the very draws which are then annealed would bias their weights.
    sizes = path.tune(q.sample(shape).detach())
    return path, z.detach(), exact.sample((1,)).detach(), sizes


def mean_error(x: Tensor) -> tuple[float, float]:
    return x.mean().item(), x.std().item() / x.numel() ** 0.5


@pytest.mark.parametrize(("start", "back"), [("prior", 16), ("posterior", 4)])
def test_weights_are_unbiased_both_ways(start: str, back: int) -> None:
    """O1: E[w] = p(x) forward and E[1/w] = 1/p(x) backward, within 4 standard errors, with few steps, many chains.

    From the prior to which p(x|z) is narrow, 1/w of 4 steps has a tail whose mean 4000 chains do not show: one of them
    was 935. With 16 steps the error is 0.035.
    """
    path, z, _, sizes = path_of(4, start, rows=4000)
    forward, acceptance = path.forward(z, sizes)
    mean, error = mean_error((forward - oracle.LOG_P).exp())
    assert abs(mean - 1) < 4 * error < 0.2
    assert 0.5 < acceptance < 0.99
    path, _, exact, sizes = path_of(back, start, rows=4000)
    mean, error = mean_error((oracle.LOG_P - path.backward(exact, sizes)).exp())
    assert abs(mean - 1) < 4 * error < 0.2


@pytest.mark.parametrize(
    ("start", "most", "closed"),
    [("prior", 50, 0.4), ("posterior", 50, 0.05), pytest.param("prior", 400, 0.05, marks=pytest.mark.slow)],
)
def test_a_sandwich_around_log_p(start: str, most: int, closed: float) -> None:
    """O1: 2000 single chains: below and above log p in the mean; with T = 400 (50 from q) less than 0.05 apart, and
    nearer than with few steps."""
    gaps = {}
    for steps in (2, most):
        path, z, exact, sizes = path_of(steps, start, rows=2000, leapfrog=3)
        (low, low_error), (high, high_error) = (
            mean_error(path.forward(z, sizes)[0]),
            mean_error(path.backward(exact, sizes)),
        )
        assert low < oracle.LOG_P + 3 * low_error and high > oracle.LOG_P - 3 * high_error
        gaps[steps] = high - low
    assert 0 < gaps[most] < closed
    assert gaps[2] > 2 * gaps[most]


def test_more_chains_tighten_the_bound() -> None:
    path, z, _, sizes = path_of(8, rows=ROWS * 8)
    log_w = path.forward(z, sizes)[0]
    bounds = [log_mean_exp(log_w.view(k, -1)).mean().item() for k in (1, 2, 4, 8)]
    assert bounds == sorted(bounds) and bounds[-1] < oracle.LOG_P + 0.02


def test_a_likelihood_that_says_nothing_gives_constant_weights() -> None:
    prior = DiagonalGaussian(torch.zeros(2, dtype=F64), torch.ones(2, dtype=F64))

    def log_joint(z: Tensor) -> tuple[Tensor, Tensor]:
        return prior.log_prob(z) - 3.0, -z

    path = AnnealingPath(log_joint, prior, torch.arange(5), steps=10, leapfrog=3)
    log_w, _ = path.forward(torch.randn(2, 5, 2, dtype=F64), path.tune(torch.randn(1, 5, 2, dtype=F64)))
    torch.testing.assert_close(log_w, torch.full((2, 5), -3.0, dtype=F64))


def test_schedules_rise_from_zero_to_one() -> None:
    for steps in (1, 2, 50):
        b = schedule(steps)
        assert b[0] == 0 and b[-1] == 1 and b == sorted(b) and len(b) == steps + 1


SIZES = {"vocab_size": 12, "max_tokens": 9}
PARTS: dict[str, Any] = {"encoder": LSTMEncoderConfig(**SMALL), "latent_dim": 2}
CHEAP = AISConfig(chains=3, steps=6, leapfrog=3)


def corpus(sentences: int = 40) -> ListCorpus:
    rng = np.random.default_rng(0)
    return ListCorpus([rng.integers(4, 12, rng.integers(1, 9)).tolist() for _ in range(sentences)])


def vae(decoder: str = "lstm-both-2-layers", **more: Any) -> TextVAE:
    torch.manual_seed(0)
    model = TextVAEConfig(**PARTS, decoder=DECODERS[decoder], **more).build(**SIZES)
    return scramble(model, scale=0.4)  # type: ignore[return-value]


def exact_nll(model: TextVAE, sentences: ListCorpus | Simulated) -> np.ndarray:
    """-log p(x) by the trapezoidal rule over z in two dimensions, out to 6 standard deviations of the prior."""
    axis = torch.linspace(-6.0, 6.0, 41)
    z_SD = torch.cartesian_prod(axis, axis)
    batch = sentences.batch(np.arange(len(sentences)))
    log_joint = LogJoint(model.decoder, model.prior(), batch.tokens_BT, row_tokens=2**16)
    value_SB = log_joint(z_SD.unsqueeze(1).expand(-1, len(sentences), -1)).double()
    return -(value_SB.logsumexp(0) + 2 * np.log(0.3)).numpy()


@pytest.mark.parametrize(
    ("decoder", "start"),
    [("lstm-both-2-layers", "prior"), ("gru-both", "posterior"), ("transformer-prefix", "posterior")],
)
def test_annealing_finds_the_likelihood_of_text(decoder: str, start: str) -> None:
    """25 sentences whose likelihood is known by quadrature: not below by more than 4 standard errors, and, with an
    encoder that knows nothing, nearer than the importance-weighted bound of as many decoder calls."""
    model, sentences = vae(decoder), corpus(25)
    config = AISConfig(chains=4, steps=30, leapfrog=3, start=start)  # type: ignore[arg-type]
    state = torch.random.get_rng_state()
    found = annealed_likelihood(model, sentences, np.arange(25), config)
    assert torch.equal(state, torch.random.get_rng_state()) and model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    exact = exact_nll(model, sentences)
    excess = found.nll - exact
    assert -4 * excess.std() / 25**0.5 < excess.mean()
    weighted = likelihood(model, sentences, num_samples=5 * 30 * 3).iw_nll
    assert weighted is not None and excess.mean() < (weighted - exact).mean()
    assert 0.5 < found.acceptance < 0.99


def test_a_sentences_weight_is_its_own() -> None:
    model, sentences = vae().double(), corpus()
    whole = annealed_likelihood(model, sentences, np.arange(20), CHEAP)
    some = np.array([11, 2, 17])
    alone = annealed_likelihood(model, sentences, some, CHEAP, batch_tokens=20)
    np.testing.assert_allclose(alone.nll, whole.nll[some], rtol=1e-6)
    other = annealed_likelihood(model, sentences, some, CHEAP, seed=1)
    assert np.abs(other.nll - alone.nll).min() > 1e-6


def test_a_model_is_bounded_from_both_sides_on_its_own_sentences() -> None:
    """30 simulated sentences: the truth, by quadrature, is between the bounds, within 3 standard errors."""
    model = vae("lstm-both-2-layers")
    config = AISConfig(chains=4, steps=25, leapfrog=2, simulated=30)
    own = simulate(model, 30)
    exact = exact_nll(model, own)
    found = bidirectional(model, config, iw_samples=5, corpus=own)
    for bound, sign in ((found.upper, 1), (found.lower, -1)):
        excess = sign * (bound - exact)
        assert -3 * excess.std() / 30**0.5 < excess.mean() < 0.15
    numbers = found.metrics()
    assert numbers["simulated_sentences"] == 30
    assert numbers["simulated_iw_distance"] > 3 * numbers["simulated_iw_distance_se"]
    assert numbers == bidirectional(model, config, iw_samples=5).metrics()


def test_wrong_codes_break_the_lower_bound() -> None:
    """Codes that are no draws of p(z|x) make `lower` no bound: it then lies above the truth. So a test can fail."""
    model = oracle.LinearGaussianModel(torch.tensor([oracle.X] * 200, dtype=F64))
    config = AISConfig(chains=2, steps=30, leapfrog=3)
    results = {}
    for name, codes in (
        ("exact", model.exact_posterior().sample()),
        ("wrong", torch.full((200, 2), 4.0, dtype=F64)),
    ):
        simulated = Simulated([[row] for row in range(200)], codes)
        results[name] = bidirectional(model, config, iw_samples=5, corpus=simulated)
    exact, wrong = results["exact"], results["wrong"]
    for bound, sign in ((exact.lower, -1), (exact.upper, 1)):
        assert sign * (bound.mean() + oracle.LOG_P) > -3 * bound.std() / 200**0.5
        assert abs(bound.mean() + oracle.LOG_P) < 0.05
    assert wrong.lower.mean() + oracle.LOG_P > 3 * wrong.lower.std() / 200**0.5


def test_simulated_sentences_are_the_models() -> None:
    """Codes and sentences of O2: every pair has the frequency p(z, x) = p(z) p(x|z) within 4 standard errors."""
    model = markov_mixture.MarkovMixtureModel()
    made = simulate(model, 4000)
    batch = made.batch(np.arange(4000))
    assert (batch.lengths_B == 5).all() and made.codes_ND.shape == (4000, 3)
    first = torch.nn.functional.one_hot(batch.tokens_BT[:, 1] - 4, 4).double()
    expected = torch.tensor(markov_mixture.WEIGHT_K)[:, None] * torch.tensor(markov_mixture.INITIAL_KV)
    found = made.codes_ND.T @ first / 4000
    assert ((found - expected).abs() < 4 * (expected * (1 - expected) / 4000).sqrt()).all()


def test_an_evaluation_reports_annealing_when_asked() -> None:
    model, sentences = vae(), corpus(20)
    settings: dict[str, Any] = {"iw_samples": 5, "quality_samples": 0, "samples": 0}
    plain = evaluate(model, sentences, EvaluateConfig(**settings))
    config = AISConfig(sentences=10, chains=2, steps=5, leapfrog=2, simulated=4)
    one, other = (
        evaluate(model, sentences, EvaluateConfig(**settings, ais=config, batch_tokens=n)) for n in (50, 10_000)
    )
    added = set(one) - set(plain)
    assert {"ais_nll", "ais_nll_se", "ais_gain", "simulated_nll_upper", "simulated_iw_distance_se"} <= added
    assert set(plain) <= set(one)
    for name, value in one.items():
        assert other[name] == (pytest.approx(value, rel=1e-3, abs=1e-3) if isinstance(value, float) else value), name
    assert one["ais_sentences"] == 10 and one["ais_steps"] == 5 and one["ais_chains"] == 2


def test_from_the_exact_posterior_every_bound_of_every_sentence_is_exact() -> None:
    """O1, twelve observations in batches of two: no noise is left, and each number is at its sentence's place."""
    observed = oracle.LinearGaussianModel().sample(12)
    model = oracle.LinearGaussianModel(observed)
    model.posterior = oracle.ExactPosterior(model)
    exact = -model.exact_log_p().detach().numpy()
    assert exact.std() > 0.5
    own = Simulated([[row] for row in range(12)], model.exact_posterior().sample())
    config = AISConfig(chains=2, steps=4, leapfrog=2)
    found = bidirectional(model, config, iw_samples=3, corpus=own, batch_tokens=12)
    assert found.iw is not None
    for bound in (found.upper, found.lower, found.iw):
        np.testing.assert_allclose(bound, exact, rtol=1e-8)
    some = np.array([7, 2, 11])
    np.testing.assert_allclose(annealed_likelihood(model, own, some, config, batch_tokens=12).nll, exact[some])


def test_the_distance_of_a_bound_is_from_the_side_it_is_not_on() -> None:
    """By hand: means and standard errors of three sentences."""
    upper, lower, iw = (np.array(x) for x in ([5.0, 7.0, 9.0], [4.0, 6.5, 9.0], [6.0, 7.5, 12.0]))
    found = Sandwich(upper, lower, iw).metrics()
    expected = {
        "sentences": 3,
        "nll_upper": 7.0,
        "nll_lower": 6.5,
        "gap": 0.5,
        "gap_se": 0.5 / 3**0.5,
        "iw_nll": 8.5,
        "iw_distance": 2.0,  # of 2, 1 and 3; from `upper` it would be 1.5
        "iw_distance_se": 1.0 / 3**0.5,
    }
    assert {name: found[f"simulated_{name}"] for name in expected} == pytest.approx(expected, rel=1e-12)
    without = Sandwich(upper, lower, None).metrics()
    assert set(found) - set(without) == {
        f"simulated_{name}" for name in ("iw_nll", "iw_nll_se", "iw_distance", "iw_distance_se")
    }


def test_the_gain_of_annealing_is_over_the_bound_of_the_same_sentences() -> None:
    """A decoder deaf to z, annealed from the prior: p(x) by annealing is exact, and q's bound is above it.

    Of 20 sentences 14 are drawn, of which 5 are annealed: the first, the last and three between them.
    """
    model, sentences = vae("lstm-every").eval(), corpus(20)
    with torch.no_grad():
        model.decoder.stack.forward_layers[0].weight_ih_l0[:, SMALL["embedding_dim"] :] = 0.0  # type: ignore[index, union-attr]
    ais = AISConfig(sentences=5, chains=2, steps=3, leapfrog=2, start="prior", simulated=6)
    settings = EvaluateConfig(iw_samples=2, max_sentences=14, quality_samples=0, samples=0, ais=ais)
    found = evaluate(model, sentences, settings)
    at = [0, 3, 6, 9, 13]
    with torch.no_grad():
        batch = sentences.batch(found.indices[at])
        exact = -model.decoder.log_prob(batch.tokens_BT, torch.zeros(1, 5, 2))[0].double().numpy()
    by_sentence = found.by_sentence["iw_nll"]
    np.testing.assert_allclose(found.by_sentence["rec_nll"][at], exact, rtol=1e-5)
    assert found["ais_nll"] == pytest.approx(exact.mean(), rel=1e-5)
    gains = by_sentence[at] - exact
    assert found["ais_gain"] == pytest.approx(gains.mean(), abs=1e-4) and found["ais_gain"] > 0.1
    assert found["ais_gain_se"] == pytest.approx(gains.std(ddof=1) / 5**0.5, abs=1e-4)
    assert abs(by_sentence[:5].mean() - by_sentence[at].mean()) > 0.1, "other sentences would give the same gain"
    assert found["simulated_gap"] == pytest.approx(0.0, abs=1e-5)


def test_posteriors_that_see_their_target_are_starts_too() -> None:
    model = vae(posterior=SemiAmortizedPosteriorConfig(steps=3))
    found = annealed_likelihood(model, corpus(3), np.arange(3), CHEAP)
    assert np.isfinite(found.nll).all()


def test_models_that_cannot_be_annealed_say_so() -> None:
    labelled = SemiSupervisedConfig(**PARTS, decoder=DECODERS["lstm-initial"]).build(**SIZES, label_names=("a", "b"))
    with pytest.raises(ConfigError, match="2 latent variables"):
        annealed_likelihood(labelled, corpus(), np.arange(4), CHEAP)
    language_model = LanguageModelConfig(decoder=DECODERS["lstm-initial"]).build(**SIZES)
    found = evaluate(language_model, corpus(), EvaluateConfig(quality_samples=0, samples=0, ais=CHEAP))
    assert "ais_nll" not in found


def test_the_command_anneals_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = vae()
    model.tokenizer = WordConfig(vocab_size=12).train(["one two three four five six seven eight"])
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "text").write_text("one two\nthree four five\n")
    asked = []

    def remember(model: Any, corpus: Any, config: EvaluateConfig, **more: Any) -> dict[str, Any]:
        asked.append(config.ais)
        return {"ais_nll": 3.0, "ais_nll_se": 0.5, "ais_steps": 100, "ais_sentences": 2}

    monkeypatch.setattr("textvae.evaluation.evaluate", remember)
    for ais in (False, True):
        found = evaluate_run(tmp_path / "model", file=tmp_path / "text", ais=ais)
    assert asked == [None, AISConfig()]
    (row,) = metric_rows({"evaluate": found})
    assert row["value"] == "3.00 ± 0.50" and row["unit"] == "nats per sentence, AIS-100, 2 sentences"


def test_a_model_that_never_ends_keeps_its_other_numbers() -> None:
    model = vae()
    with torch.no_grad():
        model.decoder.vocabulary.bias[EOS_ID] = -50.0  # type: ignore[index, union-attr]
    config = EvaluateConfig(iw_samples=2, quality_samples=0, samples=0, ais=CHEAP)
    with pytest.warns(UserWarning, match=r"No bounds from both sides: of .* 0 ended within 9 tokens"):
        found = evaluate(model, corpus(6), config)
    assert {"ais_nll", "iw_nll", "mi"} <= found.keys()
    assert not any(name.startswith("simulated") for name in found)
