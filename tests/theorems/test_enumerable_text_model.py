"""O2: a text model of 64 sentences, where likelihood, information and imputations are finite sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.oracles import markov_mixture as oracle
from tests.oracles.corpus import ListCorpus
from textvae.evaluation import EvaluateConfig, evaluate, information, likelihood
from textvae.types import UNK_ID

SENTENCES = oracle.sample_sentences(600)
CORPUS = ListCorpus(SENTENCES)
TOKENS = oracle.batch_of(SENTENCES).tokens_BT


def test_the_oracle_is_a_distribution_and_agrees_with_itself() -> None:
    batch, decoder = oracle.batch_of(), oracle.MarkovMixtureDecoder()
    assert oracle.exact_log_p().exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    z_KBD = torch.eye(3, dtype=torch.float64).unsqueeze(1).expand(3, 64, 3)
    weights = torch.tensor(oracle.WEIGHT_K, dtype=torch.float64)
    by_decoder = (decoder.log_prob(batch.tokens_BT, z_KBD).exp() * weights.unsqueeze(1)).sum(0).log()
    torch.testing.assert_close(by_decoder, oracle.exact_log_p())
    # Stepping gives what teacher forcing gives.
    state = decoder.init_state(z_KBD[1])
    for position in range(4):
        log_prob, state = decoder.step(batch.tokens_BT[:, position], state)
        stepped = log_prob.gather(1, batch.tokens_BT[:, position + 1 : position + 2]).squeeze(1)
        torch.testing.assert_close(stepped, decoder.token_log_prob(batch.tokens_BT, z_KBD[1:2])[0, :, position])


def test_imputations_by_enumeration_agree_with_the_forward_recursion() -> None:
    blanks = (4, None, 6)
    ranked = oracle.exact_imputations(blanks)
    assert len(ranked) == 4 and sum(p for _, p in ranked) == pytest.approx(1.0)
    seen = oracle.batch_of([(4, UNK_ID, 6)])
    whole = oracle.batch_of([sentence for sentence, _ in ranked])
    expected = (oracle.exact_log_p(whole.tokens_BT) - oracle.exact_log_p(seen.tokens_BT)).exp()
    np.testing.assert_allclose([p for _, p in ranked], expected)


def test_the_exact_posterior_gives_the_exact_likelihood_without_noise() -> None:
    found = likelihood(oracle.MarkovMixtureModel(), CORPUS, num_samples=3)
    exact = -oracle.exact_log_p(TOKENS).numpy()
    for nll in found.curve.values():
        np.testing.assert_allclose(nll, exact, atol=1e-10)


def test_bounds_of_a_wrong_posterior_are_strict_and_close_with_samples() -> None:
    found = likelihood(oracle.MarkovMixtureModel(oracle.wrong), CORPUS, num_samples=50)
    exact = -oracle.exact_log_p(TOKENS).numpy()
    q_BK = oracle.wrong(oracle.exact_posterior(TOKENS))
    elbo = -oracle.exact_elbo(q_BK, TOKENS).numpy()
    gap = {k: nll - exact for k, nll in found.curve.items()}
    error = {k: values.std() / len(CORPUS) ** 0.5 for k, values in gap.items()}
    assert found.elbo_nll.mean() == pytest.approx(elbo.mean(), abs=0.02)
    assert gap[1].mean() == pytest.approx((elbo - exact).mean(), abs=3 * error[1])
    for fewer, more in itertools.pairwise(sorted(gap)):
        assert gap[fewer].mean() > gap[more].mean()
    assert gap[5].mean() > 3 * error[5] > 0
    assert gap[50].mean() > -3 * error[50]


@pytest.mark.parametrize("approximate", [None, oracle.wrong, oracle.uninformed])
def test_information_equals_its_finite_sum(approximate) -> None:
    model = oracle.MarkovMixtureModel(approximate)
    indices = np.arange(len(CORPUS))
    found = information(model, CORPUS, indices)
    q_BK = model.posterior_of(oracle.batch_of(SENTENCES)).probs
    assert found.mi == pytest.approx(oracle.exact_mi(q_BK), abs=3 * found.mi_se + 1e-12)
    kl, mi, rate = oracle.exact_kl(q_BK), oracle.exact_mi(q_BK), oracle.exact_marginal_kl(q_BK)
    assert kl == pytest.approx(mi + rate, abs=1e-12)
    assert likelihood(model, CORPUS, num_samples=1).kl.mean() == pytest.approx(kl, abs=1e-12)
    assert found.mi + found.marginal_kl == pytest.approx(kl, abs=0.05)
    assert found.marginal_kl == pytest.approx(rate, abs=0.02)
    assert found.marginal_kl == pytest.approx(rate, abs=3 * found.marginal_kl_se + 1e-12)


def test_a_whole_evaluation_of_the_oracle() -> None:
    model = oracle.MarkovMixtureModel()
    found = evaluate(model, CORPUS, EvaluateConfig(iw_samples=10, quality_samples=300))
    nll = -oracle.exact_log_p(TOKENS).mean().item()
    assert found["iw_nll"] == pytest.approx(nll) and found["iw_samples"] == 10
    assert found["tokens"] == 4 * len(CORPUS)
    assert found["ppl"] == pytest.approx(np.exp(nll / 4))
    assert found["mi"] < 1 and found["collapsed"], "three chains cannot tell more than log 3, but they tell 0.7 nats"
    assert found["permuted_rise"] > 0.5 and found["active_units"] == 3
