"""The mixture of unigrams: expectation and maximization, and what a classifier gains by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import SemiSupervisedConfig, SemiSupervisedTextVAE, TextVAEConfig
from textvae.tasks.classifier_settings import ClassifyConfig, check_classifier, words_of
from textvae.tasks.classify import log_probabilities
from textvae.tasks.head_inputs import scale_of
from textvae.tasks.linear_head import count_ngrams, fit_head, unlearned_log_probabilities
from textvae.tasks.word_mixture import WordMixtureConfig, expectation_maximization, learn_words
from textvae.text.corpora import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import WordConfig


def counted(sentences: int, words: int, classes: int, seed: int) -> tuple[csr_matrix, np.ndarray]:
    """Sentences of a mixture of unigrams, each word at most once, and their classes."""
    generator = np.random.default_rng(seed)
    share_CM = generator.dirichlet(np.full(words, 1.0), classes)
    label_N = np.arange(sentences) % classes
    rows = [generator.choice(words, 6, replace=False, p=(share_CM[y] + 1e-3) / (share_CM[y] + 1e-3).sum())
            for y in label_N]  # fmt: skip
    table_NM = np.zeros((sentences, words))
    for row, there in enumerate(rows):
        table_NM[row, there] = 1.0
    return csr_matrix(table_NM), label_N


def hidden(label_N: np.ndarray, shown: int) -> np.ndarray:
    return np.where(np.arange(len(label_N)) < shown, label_N, -1)


def log_likelihood(table_NM: csr_matrix, q_NC: np.ndarray, label_N: np.ndarray, smoothing: float) -> float:
    """log p of all sentences and, where shown, labels, with the Dirichlet density that smoothing stands for, under the
    words' shares by q."""
    count_MC = table_NM.T @ q_NC + smoothing
    log_MC = np.log(count_MC / count_MC.sum(0))
    joint_NC = table_NM @ log_MC - np.log(q_NC.shape[1])
    shown_N = label_N >= 0
    known = joint_NC[shown_N, label_N[shown_N]].sum()
    return float(known + np.logaddexp.reduce(joint_NC[~shown_N], 1).sum() + smoothing * log_MC.sum())


def posterior(logits_NC: np.ndarray, label_N: np.ndarray) -> np.ndarray:
    q_NC = np.exp(logits_NC - np.logaddexp.reduce(logits_NC, 1, keepdims=True))
    q_NC[label_N >= 0] = np.eye(q_NC.shape[1])[label_N[label_N >= 0]]
    return q_NC


@pytest.mark.parametrize("classes", [2, 4])
def test_the_likelihood_never_falls(classes: int) -> None:
    """With one weight for each word that is present, and no tempering, it is the EM algorithm of a mixture of unigrams
    (Dempster et al. 1977): each round raises the penalized likelihood of sentences and labels."""
    table_NM, truth_N = counted(200, 30, classes, seed=classes)
    label_N = hidden(truth_N, 2 * classes)
    found = []
    for rounds in range(1, 9):
        config = WordMixtureConfig(rounds=rounds, word_weight=1.0, smoothing=0.5)
        made = expectation_maximization(np.zeros((200, 0)), table_NM, label_N, classes, config)
        q_NC = posterior(made.logits(np.zeros((200, 0)), table_NM), label_N)
        found.append(log_likelihood(table_NM, q_NC, label_N, 0.5))
    assert np.all(np.diff(found) > -1e-8)
    assert found[-1] > found[0] + 0.1


def test_with_all_labels_it_is_naive_bayes() -> None:
    table_NM, truth_N = counted(60, 12, 3, seed=0)
    config = WordMixtureConfig(word_weight=1.5, smoothing=2.0)
    made = expectation_maximization(np.zeros((60, 0)), table_NM, truth_N, 3, config)
    count_MC = np.asarray(table_NM.T @ np.eye(3)[truth_N]) + 2.0
    log_MC = np.log(count_MC / count_MC.sum(0))
    assert np.allclose(made.word_MK, 1.5 * (log_MC - log_MC.mean(1, keepdims=True)))


@pytest.mark.parametrize("width", [0, 5])
def test_names_of_classes_do_not_matter(width: int) -> None:
    table_NM, truth_N = counted(120, 20, 3, seed=1)
    feature_NH = np.random.default_rng(2).normal(size=(120, width))
    label_N, order = hidden(truth_N, 9), np.array([2, 0, 1])
    renamed_N = np.where(label_N >= 0, order[label_N], -1)
    one, other = (
        expectation_maximization(feature_NH, table_NM, some_N, 3, WordMixtureConfig()).logits(feature_NH, table_NM)
        for some_N in (label_N, renamed_N)
    )
    assert np.allclose(one, other[:, order], atol=1e-4)


def test_sentences_without_a_label_make_it_better() -> None:
    """Of the words that are in no labelled sentence it learns what they mean: above the labels alone by far."""
    table_NM, truth_N = counted(1200, 60, 2, seed=3)
    label_N, config, none = hidden(truth_N, 6), WordMixtureConfig(word_weight=0.7), np.zeros((1200, 0))
    taught = expectation_maximization(none, table_NM, label_N, 2, config).logits(none, table_NM).argmax(1)
    alone = expectation_maximization(none[:6], table_NM[:6], label_N[:6], 2, config).logits(none, table_NM).argmax(1)
    right, right_alone = ((answer == truth_N)[6:].mean() for answer in (taught, alone))
    assert right > right_alone + 0.05 and right > 0.9


WORDS = [f"w{number}" for number in range(40)]


def written(folder: Path, label_N: np.ndarray) -> TokenizedCorpus:
    """400 sentences of a mixture of unigrams, with these labels."""
    table_NM, _ = counted(400, 40, 2, seed=5)
    tokenizer = WordConfig(vocab_size=60).train([" ".join(WORDS)] * 3)
    texts = [" ".join(WORDS[place] for place in table_NM[row].indices) for row in range(400)]
    examples = [Example(text, "ab"[label]) for text, label in zip(texts, label_N, strict=True)]
    path = folder / "corpus.arrow"
    write_tokenized(path, examples, tokenizer, max_tokens=12, overlong="error", label_names=["a", "b"])
    return TokenizedCorpus(path)


@pytest.fixture(scope="module", name="corpus")
def _corpus(tmp_path_factory: pytest.TempPathFactory) -> TokenizedCorpus:
    return written(tmp_path_factory.mktemp("words"), counted(400, 40, 2, seed=5)[1])


def model(ngrams: int = 2) -> SemiSupervisedTextVAE:
    torch.manual_seed(0)
    built = SemiSupervisedConfig(
        latent_dim=3,
        encoder=LSTMEncoderConfig(embedding_dim=6, hidden_dim=5),
        decoder=LSTMDecoderConfig(embedding_dim=6, hidden_dim=5),
        classifier_ngrams=ngrams,
    ).build(vocab_size=60, max_tokens=12, label_names=("a", "b"))
    return built.eval()


LEARNED, OTHERS = np.arange(12), np.arange(12, 300)


def accuracy(made: SemiSupervisedTextVAE, corpus: TokenizedCorpus) -> float:
    unseen = np.arange(300, 400)
    return float((log_probabilities(made, corpus, unseen).argmax(1) == corpus.labels[unseen]).mean())


@pytest.mark.parametrize("topics", [(), (4, 8)])
@pytest.mark.parametrize("judged", [True, False])
def test_a_classifier_gets_what_was_learned(
    corpus: TokenizedCorpus, judged: bool, topics: tuple[int, ...], tmp_path: Path
) -> None:
    """It is right of most unseen sentences, and does not look at hidden labels."""
    changed_N = np.array(corpus.labels)
    changed_N[12:] = 0
    masked = written(tmp_path, changed_N)
    found = []
    for some in (corpus, masked):
        made = model()
        count_ngrams(made, some)
        fit_head(made, some, LEARNED, seed=0)
        config = WordMixtureConfig(topics=topics, word_weight=1.0)
        temperature = learn_words(made, some, LEARNED, OTHERS, config, judged=judged, seed=0)
        found.append(log_probabilities(made, some, np.arange(400)))
    assert np.array_equal(found[0], found[1])
    assert (temperature == 1.0) != judged
    assert accuracy(made, corpus) > (0.8 if judged and topics else 0.65)


def test_what_it_needs(corpus: TokenizedCorpus) -> None:
    with pytest.raises(ConfigError, match="reads none"):
        learn_words(model(0), corpus, LEARNED, OTHERS, WordMixtureConfig(), judged=True, seed=0)
    for table in ({"words": {"rounds": 0}}, {"model": {"classifier_ngrams": 0}}):
        with pytest.raises(ConfigError, match="nothing is learned"):
            check_classifier(ClassifyConfig.model_validate({"epochs": 0, **table}), TextVAEConfig())
    check_classifier(
        ClassifyConfig.model_validate({"method": "probe", "epochs": 0, "words": {"rounds": 0}}), TextVAEConfig()
    )
    with pytest.raises(ValueError, match="regularizers need"):
        ClassifyConfig.model_validate({"epochs": 0, "regularizers": [{"kind": "label_entropy"}]})
    assert words_of(ClassifyConfig(), SemiSupervisedConfig()).rounds == 0


def test_labels_of_one_class_change_nothing(corpus: TokenizedCorpus) -> None:
    made = model()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    one = LEARNED[corpus.labels[LEARNED] == 0]
    assert learn_words(made, corpus, one, OTHERS, WordMixtureConfig(), judged=True, seed=0) == 1.0
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_the_regression_is_judged_by_labels_that_it_has_not_learned(corpus: TokenizedCorpus) -> None:
    """With a single split it states what `fit_head` gives for the labels that are left, but for its penalty."""
    made, rows = model(), np.arange(40)
    count_ngrams(made, corpus)
    halves = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]
    before = {name: value.clone() for name, value in made.state_dict().items()}
    log_NC = unlearned_log_probabilities(made, corpus, rows, halves, scale_of(made, corpus, seed=0), seed=0)
    assert np.allclose(np.exp(log_NC).sum(1), 1.0)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert (log_NC.argmax(1) == corpus.labels[rows]).mean() > 0.6
    fit_head(made, corpus, rows, seed=0)
    learned = log_probabilities(made, corpus, rows)[rows, corpus.labels[rows]].mean()
    assert log_NC[rows, corpus.labels[rows]].mean() < learned
