"""Perplexities, text quality, BLEU, the verdict and what an evaluation leaves untouched."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from tests.components import SMALL, scramble
from tests.oracles import markov_mixture
from tests.oracles.corpus import ListCorpus
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.evaluation import EvaluateConfig, bleu, evaluate, perplexities, reconstruct, text_quality, verdict_of
from textvae.evaluation.noise import sentence_seeds
from textvae.models import SemiSupervisedConfig, TextVAEConfig


def small_model() -> TextVAEConfig:
    return TextVAEConfig(
        latent_dim=3, encoder=LSTMEncoderConfig(**SMALL), decoder=LSTMDecoderConfig(**SMALL, word_dropout=0.5)
    )


def small_corpus() -> ListCorpus:
    rng = np.random.default_rng(0)
    return ListCorpus([rng.integers(3, 12, rng.integers(1, 9)).tolist() for _ in range(40)])


def test_perplexity_is_total_over_total() -> None:
    found = perplexities(np.array([10.0, 2.0]), np.array([11.0, 3.0]), np.array([5, 1]))
    assert found == {"tokens": 6, "ppl": pytest.approx(math.exp(2)), "elbo_ppl": pytest.approx(math.exp(14 / 6))}


def test_pieces_of_words_get_a_perplexity_per_word_and_scripts_without_spaces_one_per_character() -> None:
    nll, tokens = np.array([12.0, 12.0]), np.array([8, 8])
    words = perplexities(
        nll, None, tokens, splits_words=True, words_N=np.array([3, 3]), characters_N=np.array([15, 15])
    )
    assert words["ppl_word"] == pytest.approx(math.exp(24 / 8)) and "nll_per_char" not in words
    chars = perplexities(
        nll, None, tokens, splits_words=True, words_N=np.array([1, 1]), characters_N=np.array([40, 40])
    )
    assert chars["nll_per_char"] == pytest.approx(24 / 80) and "ppl_word" not in chars


@pytest.mark.parametrize(
    ("measured", "collapsed"),
    [
        ({"mi": 5.0, "active_units": 20, "permuted_rise": 9.0}, False),
        ({"mi": 0.9, "active_units": 20, "permuted_rise": 9.0}, True),
        ({"mi": 5.0, "mi_sentences": 1424}, False),
        ({"mi": 0.9, "mi_sentences": 1424}, True),
        # Three sentences: at most log 3 = 1.1 nats, however much z says.
        ({"mi": 0.9, "mi_sentences": 3}, False),
        ({"mi": 0.4, "mi_sentences": 3}, True),
        ({"mi": 5.0, "active_units": 1, "permuted_rise": 9.0}, True),
        ({"mi": 5.0, "active_units": 20, "permuted_rise": 0.9}, True),
        ({"permuted_rise": 4.0}, False),
        ({}, None),
    ],
)
def test_the_verdict(measured: dict[str, float], collapsed: bool | None) -> None:
    verdict = verdict_of(latent_dim=32, **measured)  # type: ignore[arg-type]
    assert verdict.collapsed is collapsed
    assert verdict.sentence.endswith(".") and verdict.sentence.count(". ") == 0


@pytest.mark.parametrize("value", [0.96, 0.999, math.nextafter(1.0, 0.0)])
def test_a_number_below_its_threshold_is_not_written_as_it(value: float) -> None:
    said = verdict_of(latent_dim=4, mi=value, permuted_rise=value).sentence
    assert [float(word) for word in said.split() if word[0].isdigit() and "." in word] == [
        pytest.approx(value, rel=1e-2)
    ] * 2
    assert "1.0 nat" not in said and said.count("at least 1 expected") == 2


def test_quality_of_samples() -> None:
    found = text_quality([[5, 6], [5, 3]], [[5, 6, 7]], allow_unk=True, training={(5, 6), (8,)})
    assert found["sample_distinct_1"] == 0.75 and found["sample_distinct_2"] == 1.0
    assert found["sample_mean_length"] == 2 and found["corpus_mean_length"] == 3
    assert found["sample_unk_share"] == 0.25 and found["sample_memorized"] == 0.5


def test_bleu_states_its_signature() -> None:
    found = bleu(["the cat sat on the mat .", "a b c d e"], ["the cat sat on the mat .", "v w x y z"])
    assert 0 < found["bleu"] < 100 and "tok:13a" in found["bleu_signature"]


def test_reconstruction_of_sentences_the_code_determines() -> None:
    """Each chain of the oracle has one likeliest sentence; it comes back whole, others do not."""
    corpus = ListCorpus([(4, 5, 6), (7, 7, 7), (4, 7, 7)])
    found = reconstruct(markov_mixture.MarkovMixtureModel(), corpus, np.arange(3))
    assert found.reconstructions[:2] == [[4, 5, 6], [7, 7, 7]]
    assert found.metrics["exact_match"] == pytest.approx(2 / 3)
    right = 8 + sum(a == b for a, b in zip([4, 7, 7, 2], [*found.reconstructions[2], 2], strict=True))
    assert found.metrics["token_accuracy"] == pytest.approx(right / 12)


def test_an_evaluation_leaves_randomness_and_mode_alone() -> None:
    model = small_model().build(vocab_size=12, max_tokens=9).train()
    before = torch.get_rng_state()
    first = evaluate(model, small_corpus(), EvaluateConfig(iw_samples=3, quality_samples=10), seed=4)
    assert torch.equal(torch.get_rng_state(), before) and model.training
    torch.randn(3)
    assert evaluate(model, small_corpus(), EvaluateConfig(iw_samples=3, quality_samples=10), seed=4) == first
    assert evaluate(model, small_corpus(), EvaluateConfig(iw_samples=3, quality_samples=10), seed=5) != first


@pytest.mark.parametrize("kind", ["text_vae", "semi_supervised"])
def test_a_report_is_flat_plain_json_without_gaps(kind: str) -> None:
    parts = {"latent_dim": 3, "encoder": LSTMEncoderConfig(**SMALL), "decoder": LSTMDecoderConfig(**SMALL)}
    if kind == "text_vae":
        model = TextVAEConfig(**parts).build(vocab_size=12, max_tokens=9)
    else:
        model = SemiSupervisedConfig(**parts).build(vocab_size=12, max_tokens=9, label_names=("a", "b"))
    seen = []
    scramble(model, scale=0.2)
    found = evaluate(
        model,
        small_corpus(),
        EvaluateConfig(iw_samples=4, max_sentences=30, mi_sentences=20, quality_samples=10),
        progress=lambda what, done, total: seen.append((what, done, total)),
    )
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert all(isinstance(value, int | float | str | bool) for value in found.values())
    needed = "iw_nll iw_nll_se iw_samples elbo_nll kl mi mi_se active_units ppl tokens sentences split params collapsed"
    assert set(needed.split()) <= found.keys()
    assert found["sentences"] == 30 and found["mi_cap"] == pytest.approx(math.log(20))
    assert [row["iw_samples"] for row in found.curve] == [1, 2, 4]
    assert found.curve[-1]["iw_nll"] == found["iw_nll"]
    assert found.latent_means.shape == (30, 3)
    assert found.by_sentence["sentence"].tolist() == found.indices.tolist()
    for name in ("iw_nll", "elbo_nll", "rec_nll", "kl"):
        assert found.by_sentence[name].mean() == pytest.approx(found[name]), name
    assert found.by_sentence["tokens"].sum() == found["tokens"]
    assert {what for what, _, _ in seen} == {"likelihood", "codes", "permuted codes", "reconstruction"}
    assert all(done <= total for _, done, total in seen)


def test_seeds_differ_by_sentence_stream_and_run() -> None:
    ids = np.arange(1000)
    seeds = np.concatenate([sentence_seeds(seed, ids, stream) for seed in (0, 1) for stream in (0, 1)])
    assert len(np.unique(seeds)) == 4000
