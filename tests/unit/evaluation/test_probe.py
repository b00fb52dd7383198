"""Linear probes: what they can read, what they must not see, and where they are absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.components import SMALL, scramble
from tests.oracles.corpus import ListCorpus
from textvae.config import parse
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.evaluation import EvaluateConfig, Evaluation, evaluate, linear_probe, posterior_means
from textvae.evaluation.probe import STRENGTHS
from textvae.models import LanguageModelConfig, TextModel, TextVAEConfig
from textvae.text.few_labels import choose_labelled

D = 4


def codes(count: int, classes: int, apart: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit Gaussians about centers `apart` from the origin along the axes; small and shifted, as a code may be."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return 0.01 * (rng.standard_normal((count, D)) + apart * np.eye(D)[labels]) + 7.0, labels


@pytest.mark.parametrize("classes", [2, 4])
def test_separable_codes_are_told_apart(classes: int) -> None:
    found = linear_probe(*codes(100, classes, 12.0, 0), *codes(1000, classes, 12.0, 1), seed=0)
    assert (found.accuracy, found.accuracy_se) == (1.0, 0.0)
    assert found.strength in STRENGTHS and found.weights.shape == (1 if classes == 2 else classes, D)


@pytest.mark.parametrize("classes", [2, 4])
def test_shuffled_labels_are_chance(classes: int) -> None:
    shown, labels = codes(200, classes, 12.0, 0)
    np.random.default_rng(2).shuffle(labels)
    unseen, truth = codes(2000, classes, 12.0, 1)
    np.random.default_rng(3).shuffle(truth)
    found = linear_probe(shown, labels, unseen, truth, seed=0)
    assert found.accuracy_se == pytest.approx((found.accuracy * (1 - found.accuracy) / 2000) ** 0.5)
    assert abs(found.accuracy - 1 / classes) < 4 * found.accuracy_se


def test_accuracy_is_near_the_best_any_rule_can_have() -> None:
    """Two unit Gaussians 2 sqrt(2) apart: Phi(sqrt 2) = 0.9214 of 4000 codes, within 4 standard errors."""
    found = linear_probe(*codes(2000, 2, 2.0, 0), *codes(4000, 2, 2.0, 1), seed=0)
    assert abs(found.accuracy - 0.9214) < 4 * found.accuracy_se


def test_labels_measured_on_change_the_accuracy_and_nothing_else() -> None:
    shown, unseen = codes(60, 2, 1.0, 0), codes(300, 2, 1.0, 1)
    one = linear_probe(*shown, *unseen, seed=0)
    other = linear_probe(*shown, unseen[0], 1 - unseen[1], seed=0)
    assert other.accuracy == pytest.approx(1 - one.accuracy)
    assert np.array_equal(one.weights, other.weights) and np.array_equal(one.intercept, other.intercept)
    assert one.strength == other.strength
    # Nor do the codes measured on have a part in standardizing or in the choice of a strength.
    further = linear_probe(*shown, 100.0 * unseen[0], unseen[1], seed=0)
    assert np.array_equal(one.weights, further.weights)


def test_the_strength_is_chosen_and_standardizing_makes_scale_irrelevant() -> None:
    weak, strong = (linear_probe(*codes(40, 2, apart, 0), *codes(10, 2, apart, 1), seed=0) for apart in (0.0, 12.0))
    assert weak.strength < strong.strength
    (shown, labels), unseen = codes(40, 2, 2.0, 0), codes(200, 2, 2.0, 1)
    scales = np.array([1.0, 1e3, 1e-3, 50.0])
    plain = linear_probe(shown, labels, *unseen, seed=0)
    scaled = linear_probe(shown * scales, labels, unseen[0] * scales, unseen[1], seed=0)
    np.testing.assert_allclose(scaled.weights, plain.weights, rtol=1e-3, atol=1e-4)


def test_two_labels_are_enough_to_try() -> None:
    """Nothing can be validated then; and standardized by two codes every dimension tells them apart equally well."""
    found = linear_probe(*codes(2, 2, 12.0, 0), *codes(200, 2, 12.0, 1), seed=0)
    assert found.strength == 1.0 and np.ptp(np.abs(found.weights)) < 1e-9


# ------------------------------------------------------------------ in an evaluation


def corpus(count: int, seed: int, labelled: bool = True) -> ListCorpus:
    """The label is whether the words are of the upper half of the vocabulary."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    words = [rng.integers(3 + 4 * label, 7 + 4 * label, rng.integers(2, 9)).tolist() for label in labels]
    return ListCorpus(words, labels.tolist() if labelled else None)


def model() -> TextModel:
    parts = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": LSTMDecoderConfig(**SMALL)}
    made = scramble(TextVAEConfig(latent_dim=3, **parts).build(vocab_size=12, max_tokens=9), scale=1.0)
    assert isinstance(made, TextModel)
    return made


def measured(made: TextModel, test: ListCorpus, training: ListCorpus | None, *labels: int, **more: Any) -> Evaluation:
    config = EvaluateConfig(iw_samples=2, quality_samples=0, samples=0, probe_labels=labels, **more)
    return evaluate(made, test, config, training_corpus=training)


def test_an_evaluation_probes_with_every_number_of_labels() -> None:
    made, test, training = model(), corpus(80, 0), corpus(100, 1)
    found = measured(made, test, training, 10, 60)
    names = {name for name in found if name.startswith("probe")}
    assert names == {"probe_accuracy_10", "probe_accuracy_10_se", "probe_accuracy_60", "probe_accuracy_60_se"}
    chosen = choose_labelled(training.labels, 60, 2, seed=0)
    means = [posterior_means(made, part, rows) for part, rows in ((training, chosen), (test, np.arange(80)))]
    expected = linear_probe(means[0], training.labels[chosen], means[1], test.labels, seed=0)
    assert found["probe_accuracy_60"] == expected.accuracy and found["probe_accuracy_60_se"] == expected.accuracy_se
    assert expected.accuracy > 0.7, "a random encoder still tells these words apart"
    assert {**found} == {**measured(made, test, training), **{name: found[name] for name in names}}


def test_only_sentences_with_a_label_are_shown_and_counted() -> None:
    made, training = model(), corpus(100, 1)
    training.labels[::2] = -1
    test = corpus(80, 0)
    test.labels[:60] = -1
    found = measured(made, test, training, 20)
    assert (found["probe_accuracy_20"] * 20) % 1 == pytest.approx(0.0)


def test_a_probe_is_absent_where_it_cannot_be() -> None:
    made, test, training = model(), corpus(30, 0), corpus(40, 1)
    unlabelled_test = corpus(30, 0, labelled=False)
    decoder = LSTMDecoderConfig(**SMALL)
    lm = LanguageModelConfig(decoder=decoder).build(vocab_size=12, max_tokens=9)
    for found in (
        measured(made, test, None, 10),
        measured(made, test, corpus(40, 1, labelled=False), 10),
        measured(made, unlabelled_test, training, 10),
        measured(lm, test, training, 10),
    ):
        assert not [name for name in found if name.startswith("probe")]


def test_settings_that_make_no_sense_are_refused() -> None:
    made, test, training = model(), corpus(30, 0), corpus(40, 1)
    with pytest.raises(ConfigError, match=r"evaluate\.probe_labels is 60, but only 40 training sentences have a label"):
        measured(made, test, training, 60)
    for settings in ({"probe_labels": [1]}, {"probe_labels": [5, 5]}, {"probe_labels": [5], "split": "train"}):
        with pytest.raises(ConfigError):
            parse(EvaluateConfig, settings, "a test")


def test_means_come_in_the_order_asked_for_and_change_with_no_batch() -> None:
    made, training = model(), corpus(40, 1)
    rows = np.random.default_rng(0).permutation(40)[:25]
    few = posterior_means(made, training, rows, batch_tokens=20)
    assert few is not None and few.shape == (25, 3)
    with torch.no_grad():
        alone = np.concatenate([made.eval().posterior_of(training.batch([row])).mean.numpy() for row in rows])
    np.testing.assert_allclose(few, alone, atol=1e-5)
