"""KL = MI + KL(q(z) || p(z)), closed forms against Monte Carlo, and the cap of the estimate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from tests.components import (
    DECODERS,
    EXTENDED,
    POSTERIORS,
    PRIORS,
    SMALL,
    WITHOUT_DENSITY,
    posterior_beside,
    prior_beside,
    remembering,
    scramble,
)
from tests.oracles import markov_mixture
from tests.oracles.corpus import ListCorpus
from textvae.distributions import DiagonalGaussian, LatentDistribution
from textvae.encoders import LSTMEncoderConfig
from textvae.evaluation import EvaluateConfig, active_units, evaluate, information, likelihood
from textvae.evaluation.information import active_units_of_sums, log_aggregated
from textvae.models import TextVAEConfig
from textvae.posteriors import GaussianPosteriorConfig, ZeroMeanPosteriorConfig
from textvae.training import CollapseGuard

PAIRS: dict[str, tuple[LatentDistribution, LatentDistribution]] = {
    "gaussian-standard": (
        DiagonalGaussian(torch.tensor([0.5, -1.0, 0.0]), torch.tensor([0.3, 1.5, 0.8])),
        DiagonalGaussian(torch.zeros(3), torch.ones(3)),
    ),
    "gaussian-gaussian": (
        DiagonalGaussian(torch.tensor([0.5, -1.0]), torch.tensor([0.3, 1.5])),
        DiagonalGaussian(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 2.0])),
    ),
    "one-hot": (
        markov_mixture.OneHotCategorical(torch.tensor([0.7, 0.2, 0.1])),
        markov_mixture.OneHotCategorical(torch.tensor([0.1, 0.3, 0.6])),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_closed_kl_agrees_with_monte_carlo(pair: str) -> None:
    posterior, prior = PAIRS[pair]
    z, log_q = posterior.rsample_and_log_prob((200_000,))
    ratio = (log_q - prior.log_prob(z)).double()
    assert ratio.mean().item() == pytest.approx(
        kl_divergence(posterior, prior).item(), abs=3 * ratio.std().item() / len(ratio) ** 0.5
    )


def sentences(count: int) -> ListCorpus:
    rng = np.random.default_rng(0)
    return ListCorpus([rng.integers(4, 12, rng.integers(1, 9)).tolist() for _ in range(count)])


FAMILIES = [
    *((name, prior_beside(name)) for name in POSTERIORS if name not in EXTENDED | WITHOUT_DENSITY),
    *((posterior_beside(name), name) for name in PRIORS if name not in ("standard_normal", "hyperspherical_uniform")),
]


@pytest.mark.parametrize(("posterior", "prior"), FAMILIES)
def test_kl_is_what_codes_say_and_what_they_are_together(posterior: str, prior: str) -> None:
    """KL = MI + KL(q(z) || p(z)) of the same codes is an identity, and each of the three is that of its formula.

    30 sentences in batches of a few, of which 25 are aggregated, at the places of a permutation; float64, to rounding.
    """
    parts: dict[str, Any] = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": DECODERS["lstm-every"]}
    config = TextVAEConfig(latent_dim=4, posterior=POSTERIORS[posterior], prior=PRIORS[prior], **parts)
    model = config.build(vocab_size=12, max_tokens=9, label_names=("a", "b", "c")).double().eval()
    remembering(scramble(model, scale=1.0).prior)  # type: ignore[arg-type]
    corpus, indices = sentences(40), np.random.default_rng(1).permutation(40)[:30]
    found = information(model, corpus, indices, mi_sentences=25, batch_tokens=60)
    z_ND = found.codes_ND[:25]
    with torch.no_grad():
        q, p = model.posterior_of(corpus.batch(indices[:25])), model.prior()  # type: ignore[operator]
        log_q_NN = torch.stack([q.log_prob(z_D.expand(25, 4)) for z_D in z_ND])
        log_q_N, log_marginal_N = log_q_NN.diagonal(), log_q_NN.logsumexp(1) - math.log(25)
        log_p_N = p.log_prob(z_ND)
    assert found.mi is not None and found.marginal_kl is not None
    kl, mi = (log_q_N - log_p_N).mean().item(), (log_q_N - log_marginal_N).mean().item()
    assert found.mi + found.marginal_kl == pytest.approx(kl, rel=1e-6)
    assert found.mi == pytest.approx(mi, rel=1e-6) and 1e-3 < abs(mi) < found.mi_cap == math.log(25)
    assert found.marginal_kl == pytest.approx((log_marginal_N - log_p_N).mean().item(), rel=1e-6)


def test_the_identity_holds_for_a_gaussian_model() -> None:
    """Beside its closed KL, and in batches of other sizes."""
    config = TextVAEConfig(latent_dim=3, encoder=LSTMEncoderConfig(**SMALL))
    model = scramble(config.build(vocab_size=12, max_tokens=9), scale=0.8)
    corpus = sentences(400)
    found = information(model, corpus, np.arange(400))
    kl = likelihood(model, corpus, num_samples=1).kl
    # The same samples stand in both parts, so their sum is the Monte Carlo KL of 400 single samples.
    assert found.mi + found.marginal_kl == pytest.approx(kl.mean(), abs=0.3)
    assert 0 < found.mi < found.mi_cap == pytest.approx(math.log(400))
    # In batches of other sizes, the same number.
    again = information(model, corpus, np.arange(400), batch_tokens=200)
    assert again.mi == pytest.approx(found.mi, rel=1e-5)
    np.testing.assert_allclose(again.means_ND, found.means_ND, atol=1e-5)


def test_information_grows_with_the_sentences_and_that_of_1000_does_not() -> None:
    config = TextVAEConfig(latent_dim=8, encoder=LSTMEncoderConfig(**SMALL))
    model = scramble(config.build(vocab_size=12, max_tokens=9), scale=3.0)
    corpus = sentences(4000)
    few, less, many = (information(model, corpus, np.arange(count)) for count in (900, 1000, 4000))
    assert few.mi_1000 is None and less.mi_1000 == pytest.approx(less.mi, abs=1e-9)
    assert (few.mi_sentences, less.mi_sentences, many.mi_sentences) == (900, 1000, 4000)
    assert less.mi is not None and many.mi is not None and many.mi_1000 is not None and less.mi_1000 is not None
    assert many.mi_1000_se is not None and less.mi_1000_se is not None
    assert many.mi > less.mi + 0.3, "the old number: another one for every size of the test split"
    assert abs(many.mi_1000 - less.mi_1000) < 4 * math.hypot(many.mi_1000_se, less.mi_1000_se)
    again = information(model, corpus, np.arange(4000), batch_tokens=500)
    assert again.mi_1000 == pytest.approx(many.mi_1000, rel=1e-5), "in batches of other sizes"


def test_codes_that_share_nothing_reach_the_cap() -> None:
    means = 100.0 * torch.arange(50.0).unsqueeze(1).expand(50, 2)
    posterior = DiagonalGaussian(means, torch.full((50, 2), 0.1))
    log_q = posterior.log_prob(means)
    marginal = log_aggregated([posterior.rows(slice(0, 20)), posterior.rows(slice(20, 50))], means)
    np.testing.assert_allclose(log_q.double().numpy() - marginal, math.log(50), rtol=1e-6)


def test_the_aggregate_is_the_same_by_broadcasting() -> None:
    posterior = DiagonalGaussian(torch.randn(30, 4), torch.rand(30, 4) + 0.2)
    z = torch.randn(11, 4)
    direct = posterior.log_prob(z.unsqueeze(1)).double().logsumexp(1) - math.log(30)
    np.testing.assert_allclose(log_aggregated([posterior], z), direct, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", ["linear", "variance"])
def test_a_posterior_of_one_mean_is_not_judged_by_active_units(head: str) -> None:
    """Neither by an evaluation nor by the guard, and the units are counted all the same."""
    parts = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": DECODERS["lstm-every"]}
    corpus = ListCorpus([np.random.default_rng(i).integers(4, 11, 1 + i % 8).tolist() for i in range(60)])
    settings = EvaluateConfig(iw_samples=2, quality_samples=0, samples=0)
    for posterior, judged_by_units in ((ZeroMeanPosteriorConfig(head=head), False), (GaussianPosteriorConfig(), True)):
        model = scramble(TextVAEConfig(latent_dim=4, posterior=posterior, **parts).build(vocab_size=11, max_tokens=9))
        found = evaluate(model, corpus, settings)
        assert found["mi"] > 0 and (found["active_units"] > 0) == judged_by_units
        assert "its sentence" in found["verdict"] and (judged_by_units or "active" not in found["verdict"])
        guard = CollapseGuard(corpus, 60, 16_384)
        measured = guard.measure(model)
        assert ("guard_active_units" in measured) == judged_by_units
        assert judged_by_units or "active" not in guard.judge(4, measured).sentence


def test_active_units_have_varying_means() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(1000, 4)) * np.array([1.0, 0.11, 0.09, 0.0])
    assert active_units(means) == 2
    assert active_units(means, unit_variance=0.25) == 3 and active_units(means, unit_variance=100.0) == 0


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_units_are_counted_alike_whole_and_by_sums(offset: float) -> None:
    """Five sentences of variance 0.0105 without bias, and 0.0084 with it, whole and in two parts; one sentence."""
    means = np.random.default_rng(1).normal(size=(5, 3))
    means = (means - means.mean(0)) / means.std(0, ddof=1) * np.sqrt([0.0105, 0.0095, 1.0]) + offset
    assert active_units(means) == 2
    shares = [torch.from_numpy(np.stack([part.sum(0), (part**2).sum(0)])) for part in (means[:2], means[2:])]
    assert active_units_of_sums(shares[0] + shares[1], 5) == 2
    assert active_units(means[:1]) == active_units_of_sums(shares[0], 1) == 0
