"""The linear layer of a classifier, fitted to the encoder's features of few labelled sentences."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from textvae.evaluation.protocol import Corpus, TextCorpus
from textvae.evaluation.sweep import sweep
from textvae.models import SemiSupervisedTextVAE
from textvae.tasks.head_inputs import Scale, features, scale_of, tfidf
from textvae.text.few_labels import choose_labelled, stratified_folds

UNSEEN = -10.0
"""The logit of a class that no labelled sentence has."""
_STRENGTHS, _FACTORS = (0.1, 1.0, 10.0, 100.0), (0.3, 1.0, 3.0)
"""Inverse strengths of the L2 penalty (scikit-learn's C), and weights of the features beside the n-grams, that are
compared."""
_FOLDS, _ITERATIONS = 5, 2000
COMPARED = 2000
"""Labelled sentences by which they are compared, at most."""


@torch.no_grad()
def count_ngrams(model: SemiSupervisedTextVAE, corpus: Corpus) -> None:
    """Set the inverse document frequencies of a classifier that reads n-grams, from all sentences of a corpus."""
    if model.ngrams is None:
        return
    counts_M = torch.zeros(model.ngrams.places, dtype=torch.int64, device=model.device)
    with sweep(model, corpus, np.arange(len(corpus)), "n-grams") as parts:
        for part in parts:
            counts_M += model.ngrams.count(part.batch.tokens_BT)
    model.ngrams.set_frequencies(counts_M, len(corpus))


def set_head(
    model: SemiSupervisedTextVAE,
    seen: np.ndarray,
    weight_HK: Float[np.ndarray, "H K"],
    bias_K: Float[np.ndarray, " K"],
    ngram_NK: Float[np.ndarray, "N K"] | None,
    places_N: np.ndarray,
    scale: Scale,
) -> None:
    """Give the classifier weights of standardized features; standardizing becomes part of them.

    Args:
        model: its classifier is changed.
        seen: the K classes that have weights. The logits of others are far below.
        weight_HK: of standardized features.
        bias_K: added to them.
        ngram_NK: of the TF-IDF of some n-grams; others have the weight zero. None: all have.
        places_N: of these n-grams.
        scale: of the features.
    """
    classes = len(model.label_names)
    weight_CH = np.zeros((classes, model.encoder.feature_dim))
    bias_C = np.full(classes, UNSEEN)
    weight_CH[seen] = weight_HK.T / scale.scale_H
    bias_C[seen] = bias_K - weight_CH[seen] @ scale.mean_H
    ngram_MC = None
    if model.ngrams is not None:
        ngram_MC = np.zeros((model.ngrams.places, classes))
        if ngram_NK is not None:
            ngram_MC[np.ix_(places_N, seen)] = ngram_NK
    model.set_classifier(
        torch.from_numpy(weight_CH),
        torch.from_numpy(bias_C),
        None if ngram_MC is None else torch.from_numpy(ngram_MC),
    )


@torch.no_grad()
def fit_head(model: SemiSupervisedTextVAE, corpus: TextCorpus, rows: np.ndarray, *, seed: int) -> None:
    """Give the classifier the weights of a logistic regression on what it reads.

    That is the encoder's features, standardized by all sentences of the corpus, [N, H] / sqrt(H), and beside them,
    where the classifier reads n-grams, their TF-IDF. The penalty, and the weight of the features beside the n-grams,
    are chosen by the likelihood in a cross-validation among these rows (at most 5 stratified folds, and 2,000 rows,
    equally many of each class; without one where a class has a single sentence). Standardizing is made part of the
    weights.

    Args:
        model: its classifier is changed.
        corpus: with labels.
        rows: labelled sentences. The logit of a class that none of them has is far below the others.
        seed: of the folds.
    """
    labels_N = np.asarray(corpus.labels)[rows]
    seen, size = np.unique(labels_N), model.encoder.feature_dim
    if len(seen) == 1:
        only = Scale(np.zeros(size), np.ones(size))
        set_head(model, seen, np.zeros((size, 1)), np.zeros(1), None, np.zeros(0, dtype=np.int64), only)
        return
    scale = scale_of(model, corpus, seed=seed)
    standard_NH, words_NM, there = _read(model, corpus, rows, scale)
    factor, regression = _chosen(standard_NH, words_NM, labels_N, seed)
    coefficients, intercepts = regression.coef_, regression.intercept_
    # For two classes scikit-learn has the logit of the second one alone.
    if len(seen) == 2:
        coefficients = np.stack([-coefficients[0] / 2, coefficients[0] / 2])
        intercepts = np.stack([-intercepts[0] / 2, intercepts[0] / 2])
    ngrams = None if words_NM is None else coefficients[:, size:].T
    set_head(model, seen, factor * coefficients[:, :size].T, intercepts, ngrams, there, scale)


@torch.no_grad()
def unlearned_log_probabilities(
    model: SemiSupervisedTextVAE,
    corpus: TextCorpus,
    rows: np.ndarray,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    scale: Scale,
    *,
    seed: int,
) -> np.ndarray:
    """What the regression of `fit_head` states of labelled sentences from which it has not learned, log p, [N, K].

    Args:
        model: as it is; it is not changed.
        corpus: with labels.
        rows: labelled sentences of K > 1 classes, each of which is in all parts that are learned from.
        splits: of a cross-validation among the rows: places that are learned from, and others.
        scale: of the features, by `scale_of`.
        seed: as of `fit_head`. Its penalty and weight, chosen by all rows, are used.
    """
    labels_N = np.asarray(corpus.labels)[rows]
    standard_NH, words_NM, _ = _read(model, corpus, rows, scale)
    factor, regression = _chosen(standard_NH, words_NM, labels_N, seed)
    inputs = _inputs(standard_NH, words_NM, factor)
    log_NK = np.zeros((len(rows), len(np.unique(labels_N))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for kept, left_out in splits:
            log_NK[left_out] = regression.fit(inputs[kept], labels_N[kept]).predict_log_proba(inputs[left_out])
    return log_NK


def _read(
    model: SemiSupervisedTextVAE, corpus: TextCorpus, rows: np.ndarray, scale: Scale
) -> tuple[np.ndarray, Any, np.ndarray]:
    """Standardized features, the TF-IDF of n-grams (None for a classifier that reads none), and the places of these."""
    standard_NH = scale(features(model, corpus, rows))
    if model.ngrams is None:
        return standard_NH, None, np.zeros(0, dtype=np.int64)
    words_NM = tfidf(model.ngrams, corpus, rows)
    # The penalty keeps the weights of other n-grams at zero.
    there = np.unique(words_NM.indices)
    return standard_NH, words_NM[:, there], there


def _inputs(standard_NH: np.ndarray, words_NM: Any, factor: float) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return standard_NH if words_NM is None else hstack([csr_matrix(factor * standard_NH), words_NM]).tocsr()


def _chosen(standard_NH: np.ndarray, words_NM: Any, labels_N: np.ndarray, seed: int) -> tuple[float, Any]:
    """The weight of the features, and the regression, that are likeliest in a cross-validation: first the strength of
    the penalty at weight 1, then the weight at this strength."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    def inputs(factor: float) -> Any:
        return _inputs(standard_NH, words_NM, factor)

    def regression(strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=_ITERATIONS)

    index_N = np.searchsorted(np.unique(labels_N), labels_N)
    few = np.arange(len(index_N))
    if len(few) > COMPARED:
        few = choose_labelled(index_N, COMPARED, int(index_N.max()) + 1, seed)
    index_M = index_N[few]
    splits = stratified_folds(index_M, _FOLDS, seed)

    def likelihood(factor: float, strength: float) -> float:
        stated_MC = cross_val_predict(
            regression(strength), inputs(factor)[few], index_M, cv=splits, method="predict_proba"
        )
        return float(np.log(np.maximum(stated_MC[np.arange(len(few)), index_M], 1e-12)).mean())

    with warnings.catch_warnings():
        # Of many classes with few sentences each, and of an optimizer that used up its steps.
        warnings.simplefilter("ignore", UserWarning)
        factor, strength = 1.0, 1.0
        if splits:
            strength = max(_STRENGTHS, key=lambda one: likelihood(1.0, one))
            if words_NM is not None:
                factor = max(_FACTORS, key=lambda one: likelihood(one, strength))
        return factor, regression(strength).fit(inputs(factor), labels_N)
