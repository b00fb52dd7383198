"""A mixture of unigrams, learned from all sentences together with the linear layer of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from pydantic import Field

from textvae.config import MAX_WIDTH, Config
from textvae.errors import ConfigError
from textvae.evaluation.calibration import likelihood_at_best, tempered_log
from textvae.evaluation.protocol import TextCorpus
from textvae.models import SemiSupervisedTextVAE
from textvae.tasks.head_inputs import Scale, features, scale_of, tfidf
from textvae.tasks.linear_head import COMPARED, set_head, unlearned_log_probabilities
from textvae.text.few_labels import choose_labelled, stratified_folds

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_ROUNDS = 1000
_FOLDS = 5
"""Of the cross-validation by which features and temperature are chosen, at most."""
_FIRST_UPDATES, _UPDATES = 50, 25
"""Updates of the linear layer, by L-BFGS, in the first round and in others."""
_PENALTY, _TOPIC_PENALTY = 0.1, 1.0
"""Of the squared weights of standardized features of the encoder, and of topics: half of it is added to the sum over
sentences."""
_JUDGED = 5000
"""Sentences without a label that are read in the cross-validation, at most."""
_LEAST = 2
"""Sentences that have an n-gram which is counted, at least."""


class WordMixtureConfig(Config):
    """Settings of a mixture of unigrams."""

    rounds: int = Field(6, ge=0, le=MAX_ROUNDS, description="rounds of expectation and maximization; 0: no mixture")
    word_weight: float = Field(
        2.0,
        gt=0,
        allow_inf_nan=False,
        description="weight of the words' log-likelihood ratios, in the TF-IDF of a sentence, beside the linear layer",
    )
    sentence_weight: float = Field(
        0.3, gt=0, le=1, description="weight of a sentence without a label in the linear layer, where one with has 1"
    )
    smoothing: float = Field(1.0, gt=0, allow_inf_nan=False, description="is added to the count of each n-gram")
    topics: tuple[Annotated[int, Field(gt=0, le=MAX_WIDTH)], ...] = Field(
        (50, 100, 200),
        max_length=MAX_ROUNDS,
        description="dimensions of latent semantic analyses of the n-grams; with each of them the words learn once "
        "more, and the mean is taken where the labels are likelier by it in a cross-validation; empty: the encoder's "
        "features only",
    )
    sentences: int = Field(
        20_000, gt=0, description="sentences without a label that are learned from, at most, drawn at random"
    )


@dataclass(frozen=True)
class Mixture:
    """A linear classifier: logits = feature @ weight_HK + bias_K + tfidf @ word_MK.

    Attributes:
        weight_HK: of standardized features.
        bias_K: added to them.
        word_MK: of the TF-IDF of n-grams: word_weight times log p(n-gram | class), less its mean over classes.
    """

    weight_HK: Float64[np.ndarray, "H K"]
    bias_K: Float64[np.ndarray, " K"]
    word_MK: Float64[np.ndarray, "M K"]

    def logits(self, feature_NH: Float[np.ndarray, "N H"], tfidf_NM: csr_matrix) -> Float64[np.ndarray, "N K"]:
        """Of sentences, [N, K]."""
        found: np.ndarray = feature_NH @ self.weight_HK + self.bias_K + tfidf_NM @ self.word_MK
        return found


def expectation_maximization(
    feature_NH: Float[np.ndarray, "N H"],
    tfidf_NM: csr_matrix,
    label_N: Int64[np.ndarray, " N"],
    classes: int,
    config: WordMixtureConfig,
    penalty: float = _PENALTY,
) -> Mixture:
    """Learn p(n-gram | class), and a linear layer on features, from sentences with and without a label.

    Two classifiers teach each other (Nigam & Ghani 2000, "Analyzing the effectiveness and applicability of
    co-training", co-EM): a naive Bayes classifier on n-grams (Nigam et al. 2000, Machine Learning 39, section 3), and a
    softmax regression on the features. Expectation: q(y|x) is proportional to exp(linear layer + word_weight * sum of
    tfidf * log p(n-gram | y)), which tempers the words' likelihood, as n-grams are far from independent; a labelled
    sentence has its label. Maximization: p(n-gram | y) is the share of the n-gram in the sentences of y, each counted
    by q(y|x); and the linear layer is fitted to q(y|x). In the first round there are only the labels and, where there
    are features, the linear layer.

    Args:
        feature_NH: standardized, H may be 0: then the words learn by themselves.
        tfidf_NM: sparse; an n-gram counts as present where it is not 0.
        label_N: in 0 to K - 1; -1 for none. Each class has a labelled sentence.
        classes: K.
        config: the settings.
        penalty: of the squared weights of the features, half of it.

    >>> from scipy.sparse import csr_matrix
    >>> tfidf_NM = csr_matrix([[1, 0, 0, 0], [0, 0, 0, 1.0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
    >>> label_N = np.array([0, 1, -1, -1, -1, -1])
    >>> found = expectation_maximization(np.zeros((6, 0)), tfidf_NM, label_N, 2, WordMixtureConfig())
    >>> found.logits(np.zeros((6, 0)), tfidf_NM).argmax(1).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    known_N = label_N >= 0
    truth_KC = np.eye(classes)[label_N[known_N]]
    present_NM = tfidf_NM.copy()
    present_NM.data = np.ones_like(present_NM.data)
    weight_N = np.where(known_N, 1.0, config.sentence_weight)

    def words_given(q_NC: np.ndarray, present_NM: csr_matrix) -> np.ndarray:
        count_MC = present_NM.T @ q_NC + config.smoothing
        log_MC = np.log(count_MC) - np.log(count_MC.sum(0))
        ratio_MC: np.ndarray = config.word_weight * (log_MC - log_MC.mean(1, keepdims=True))
        return ratio_MC

    linear_HC = np.zeros((feature_NH.shape[1] + 1, classes))
    word_MC = words_given(truth_KC, present_NM[known_N])
    if feature_NH.shape[1]:
        known_weight_K = np.ones(len(truth_KC))
        linear_HC = _fitted(feature_NH[known_N], truth_KC, known_weight_K, linear_HC, penalty, _FIRST_UPDATES)
    for number in range(config.rounds):
        by_features_NC = feature_NH @ linear_HC[:-1] + linear_HC[-1]
        alone = number == 0 and feature_NH.shape[1] > 0
        q_NC = np.exp(tempered_log(by_features_NC if alone else by_features_NC + tfidf_NM @ word_MC, 1.0))
        q_NC[known_N] = truth_KC
        word_MC = words_given(q_NC, present_NM)
        if feature_NH.shape[1]:
            q_NC = np.exp(tempered_log(by_features_NC + tfidf_NM @ word_MC, 1.0))
            q_NC[known_N] = truth_KC
            linear_HC = _fitted(feature_NH, q_NC, weight_N, linear_HC, penalty, _UPDATES)
    return Mixture(linear_HC[:-1], linear_HC[-1], word_MC)


def _fitted(
    feature_NH: np.ndarray,
    q_NC: np.ndarray,
    weight_N: np.ndarray,
    start_HC: np.ndarray,
    penalty: float,
    updates: int,
) -> np.ndarray:
    """Weights and, in the last row, biases of a softmax regression on uncertain labels, [H + 1, C]."""
    from scipy.optimize import minimize

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        linear_HC = flat.reshape(start_HC.shape)
        weight_HC = linear_HC[:-1]
        # The products are computed in the precision of the features.
        log_NC = tempered_log(feature_NH @ weight_HC.astype(feature_NH.dtype) + linear_HC[-1], 1.0)
        error_NC = (np.exp(log_NC) - q_NC) * weight_N[:, None]
        pull_HC = feature_NH.T @ error_NC.astype(feature_NH.dtype)
        slope_HC = np.concatenate([pull_HC + penalty * weight_HC, error_NC.sum(0)[None]])
        value = -(weight_N * (q_NC * log_NC).sum(1)).sum() + 0.5 * penalty * np.square(weight_HC).sum()
        return float(value), slope_HC.ravel()

    found = minimize(loss, start_HC.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": updates})
    fitted_HC: np.ndarray = found.x.reshape(start_HC.shape)
    return fitted_HC


@dataclass(frozen=True)
class _Features:
    """What a linear layer reads: the encoder's features, or topics of the n-grams.

    Attributes:
        rows_NH: standardized.
        penalty: of the layer's squared weights.
        reading: of topics, a matrix [M, H] and an offset [H]: they are tfidf @ matrix - offset. None: the encoder's.
    """

    rows_NH: np.ndarray
    penalty: float
    reading: tuple[np.ndarray, np.ndarray] | None = None


@torch.no_grad()
def learn_words(
    model: SemiSupervisedTextVAE,
    corpus: TextCorpus,
    learned: np.ndarray,
    unlabelled: np.ndarray,
    config: WordMixtureConfig,
    *,
    judged: bool,
    seed: int,
) -> float:
    """Give the classifier the weights that a mixture of unigrams and the linear layer learn from all sentences.

    The words learn with the encoder's features and, where `judged`, once more with each set of topics (latent semantic
    analysis, Deerwester et al. 1990). Then a cross-validation among the labelled sentences (at most 5 stratified folds
    and 2,000 sentences; none where a class has a single one) decides two things by the likelihood of their labels:
    whether the classifier stays the regression of `fit_head`, or becomes that of the encoder, or the geometric mean of
    those of the topics, or that of all; and the temperature by which the logits are divided. All of them are linear in
    the features and the TF-IDF, and so is their mean.

    Args:
        model: its classifier is changed.
        corpus: with labels.
        learned: labelled sentences.
        unlabelled: sentences whose label is not looked at.
        config: the settings.
        judged: whether the features have not been learned from these labels.
        seed: of the draw of sentences and of the folds.

    Returns:
        the temperature; 1 where there is no cross-validation.

    Raises:
        ConfigError: the classifier reads no n-grams.
    """
    if model.ngrams is None:
        raise ConfigError(
            "classify.words learns from n-grams, and this classifier reads none; set classify.model.classifier_ngrams "
            "= 2, or classify.words.rounds = 0."
        )
    label_K = np.asarray(corpus.labels)[learned]
    seen = np.unique(label_K)
    if len(seen) < 2:
        return 1.0
    others = np.sort(np.random.default_rng([seed, 7]).permutation(unlabelled)[: config.sentences])
    rows = np.concatenate([learned, others])
    label_N = np.concatenate([np.searchsorted(seen, label_K), np.full(len(others), -1)])
    tfidf_NM = tfidf(model.ngrams, corpus, rows)
    places = np.flatnonzero(np.bincount(tfidf_NM.indices, minlength=tfidf_NM.shape[1]) >= _LEAST)
    tfidf_NM = tfidf_NM[:, places]
    scale = scale_of(model, corpus, seed=seed)
    # In float64 a pass over the features of many sentences takes twice as long.
    taken = [_Features(scale(features(model, corpus, rows)).astype(np.float32), _PENALTY)]
    temperature = 1.0
    few = _few(label_K, seed)
    splits = stratified_folds(label_K[few], _FOLDS, seed) if judged else []
    if splits:
        most = min(tfidf_NM.shape) - 1
        taken += [_topics(tfidf_NM, number, seed) for number in config.topics if number <= most]
        alone_KC = unlearned_log_probabilities(model, corpus, learned[few], splits, scale, seed=seed)
        taken, temperature = _judged(alone_KC, taken, tfidf_NM, label_N, few, config, splits)
        if not taken:
            model.scale_logits(1.0 / temperature)
            return temperature
    weight_HK, bias_K = np.zeros((model.encoder.feature_dim, len(seen))), np.zeros(len(seen))
    word_MK = np.zeros((len(places), len(seen)))
    for given in taken:
        found = expectation_maximization(given.rows_NH, tfidf_NM, label_N, len(seen), config, given.penalty)
        share = 1.0 / (temperature * len(taken))
        word_MK += share * found.word_MK
        bias_K += share * found.bias_K
        if given.reading is None:
            weight_HK += share * found.weight_HK
        else:
            reading_MH, offset_H = given.reading
            word_MK += share * reading_MH @ found.weight_HK
            bias_K -= share * offset_H @ found.weight_HK
    set_head(model, seen, weight_HK, bias_K, word_MK, places, scale)
    return temperature


def _topics(tfidf_NM: csr_matrix, topics: int, seed: int) -> _Features:
    """Standardized topics of sentences."""
    from sklearn.decomposition import TruncatedSVD

    analysis = TruncatedSVD(topics, random_state=seed % 2**32).fit(tfidf_NM)
    topic_NH = analysis.transform(tfidf_NM)
    scale = Scale.of(topic_NH)
    reading = (analysis.components_ / scale.scale_H[:, None]).T, scale.mean_H / scale.scale_H
    return _Features(scale(topic_NH).astype(np.float32), _TOPIC_PENALTY, reading)


def _few(label_K: np.ndarray, seed: int) -> np.ndarray:
    """The places of the labels by which is judged: all, or 2,000 of them, equally many of each class."""
    if len(label_K) <= COMPARED:
        return np.arange(len(label_K))
    return choose_labelled(label_K, COMPARED, int(label_K.max()) + 1, seed)


def _judged(
    alone_KC: np.ndarray,
    candidates: list[_Features],
    tfidf_NM: csr_matrix,
    label_N: np.ndarray,
    rows: np.ndarray,
    config: WordMixtureConfig,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[list[_Features], float]:
    """The features by whose mean labels that were not learned are likeliest, and the best temperature.

    Args:
        alone_KC: log probabilities by the labels alone; no features are given where the labels are likelier by these.
        candidates: the encoder's features, then sets of topics.
        tfidf_NM: of all sentences.
        label_N: of them, -1 for none.
        rows: K sentences with a label, by which is judged.
        config: the settings.
        splits: of the rows.
    """
    truth_K, classes = label_N[rows], alone_KC.shape[1]
    # Beside these rows some sentences without a label, from everywhere in the corpus.
    others = np.flatnonzero(label_N < 0)
    read = np.concatenate([rows, others[:: -(-len(others) // _JUDGED) or 1]])
    tfidf_RM, label_R = tfidf_NM[read], label_N[read]
    log_FKC = np.zeros((len(candidates), len(rows), classes))
    for _, left_out in splits:
        fewer_R = label_R.copy()
        fewer_R[left_out] = -1
        for place, given in enumerate(candidates):
            some_RH = given.rows_NH[read]
            found = expectation_maximization(some_RH, tfidf_RM, fewer_R, classes, config, given.penalty)
            logits_KC = found.logits(some_RH[left_out], tfidf_RM[left_out])
            log_FKC[place, left_out] = tempered_log(logits_KC, 1.0)
    means = [slice(0, 1), slice(1, None), slice(None)] if len(candidates) > 1 else [slice(0, 1)]
    choices: list[tuple[list[_Features], np.ndarray]] = [([], alone_KC)]
    choices += [(candidates[some], tempered_log(log_FKC[some].mean(0), 1.0)) for some in means]
    judged = [likelihood_at_best(log_KC, truth_K) for _, log_KC in choices]
    best = max(range(len(choices)), key=lambda place: judged[place][0])
    return choices[best][0], judged[best][1]
