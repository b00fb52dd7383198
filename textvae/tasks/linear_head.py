"""The linear layer of a classifier, fitted to the encoder's features of few labelled sentences."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch

from textvae.evaluation.protocol import Corpus, TextCorpus
from textvae.evaluation.sweep import sweep
from textvae.layers import NgramBag
from textvae.models import SemiSupervisedTextVAE
from textvae.text.few_labels import choose_labelled

_UNSEEN = -10.0
"""The logit of a class that no labelled sentence has."""
_SCALED = 2000
"""Sentences by which features are standardized, at most."""
_STRENGTHS, _FACTORS = (0.1, 1.0, 10.0, 100.0), (0.3, 1.0, 3.0)
"""Inverse strengths of the L2 penalty (scikit-learn's C), and weights of the features beside the n-grams, that are
compared."""
_FOLDS, _ITERATIONS = 5, 2000
COMPARED = 2000
"""Labelled sentences by which they are compared, at most."""


def features(model: SemiSupervisedTextVAE, corpus: Corpus, rows: np.ndarray) -> np.ndarray:
    """What the encoder gives for some sentences, float32 [N, H] in the order of the rows."""
    found_NH: np.ndarray | None = None
    with sweep(model, corpus, np.asarray(rows), "features") as parts:
        for part in parts:
            feature_BH = model.encoder(part.batch.tokens_BT, part.batch.lengths_B).float().cpu().numpy()
            if found_NH is None:
                found_NH = np.zeros((len(rows), feature_BH.shape[1]), dtype=np.float32)
            found_NH[part.rows] = feature_BH
    assert found_NH is not None
    return found_NH


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
    seen = np.unique(labels_N)
    size = model.encoder.feature_dim
    weight_CH = np.zeros((len(model.label_names), size))
    bias_C = np.full(len(model.label_names), _UNSEEN)
    ngrams_MC = None if model.ngrams is None else np.zeros((model.ngrams.places, len(model.label_names)))
    if len(seen) == 1:
        bias_C[seen] = 0.0
    else:
        some = np.sort(np.random.default_rng([seed, 4]).permutation(len(corpus))[:_SCALED])
        usual_NH = features(model, corpus, some)
        mean_H, scale_H = usual_NH.mean(0), (usual_NH.std(0) + 1e-6) * math.sqrt(size)
        standard_NH = (features(model, corpus, rows) - mean_H) / scale_H
        words_NM, there = None, np.zeros(0, dtype=np.int64)
        if model.ngrams is not None:
            words_NM = _tfidf(model.ngrams, corpus, rows)
            # The penalty keeps the weights of other n-grams at zero.
            there = np.unique(words_NM.indices)
            words_NM = words_NM[:, there]
        factor, regression = _chosen(standard_NH, words_NM, labels_N, seed)
        coefficients, intercepts = regression.coef_, regression.intercept_
        # For two classes scikit-learn has the logit of the second one alone.
        if len(seen) == 2:
            coefficients = np.stack([-coefficients[0] / 2, coefficients[0] / 2])
            intercepts = np.stack([-intercepts[0] / 2, intercepts[0] / 2])
        weight_CH[seen] = factor * coefficients[:, :size] / scale_H
        bias_C[seen] = intercepts - weight_CH[seen] @ mean_H
        if ngrams_MC is not None:
            ngrams_MC[np.ix_(there, seen)] = coefficients[:, size:].T
    model.set_classifier(
        torch.from_numpy(weight_CH),
        torch.from_numpy(bias_C),
        None if ngrams_MC is None else torch.from_numpy(ngrams_MC),
    )


def _chosen(standard_NH: np.ndarray, words_NM: Any, labels_N: np.ndarray, seed: int) -> tuple[float, Any]:
    """The weight of the features, and the regression, that are likeliest in a cross-validation: first the strength of
    the penalty at weight 1, then the weight at this strength."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    def inputs(factor: float) -> Any:
        return standard_NH if words_NM is None else hstack([csr_matrix(factor * standard_NH), words_NM]).tocsr()

    def regression(strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=_ITERATIONS)

    index_N = np.searchsorted(np.unique(labels_N), labels_N)
    few = np.arange(len(index_N))
    if len(few) > COMPARED:
        few = choose_labelled(index_N, COMPARED, int(index_N.max()) + 1, seed)
    index_M = index_N[few]
    folds = min(_FOLDS, int(np.bincount(index_M).min()))

    def likelihood(factor: float, strength: float) -> float:
        splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
        stated_MC = cross_val_predict(
            regression(strength), inputs(factor)[few], index_M, cv=splits, method="predict_proba"
        )
        return float(np.log(np.maximum(stated_MC[np.arange(len(few)), index_M], 1e-12)).mean())

    with warnings.catch_warnings():
        # Of many classes with few sentences each, and of an optimizer that used up its steps.
        warnings.simplefilter("ignore", UserWarning)
        factor, strength = 1.0, 1.0
        if folds > 1:
            strength = max(_STRENGTHS, key=lambda one: likelihood(1.0, one))
            if words_NM is not None:
                factor = max(_FACTORS, key=lambda one: likelihood(one, strength))
        return factor, regression(strength).fit(inputs(factor), labels_N)


def _tfidf(bag: NgramBag, corpus: Corpus, rows: np.ndarray) -> Any:
    """The TF-IDF of the n-grams of some sentences, a sparse matrix [N, M]."""
    from scipy.sparse import csr_matrix

    batch = corpus.batch(rows).to(bag.idf_M.device)
    ids_BN, share_BN = (x.cpu().numpy() for x in bag.shares(batch.tokens_BT))
    places = np.repeat(np.arange(len(rows)), ids_BN.shape[1])
    return csr_matrix((share_BN.ravel(), (places, ids_BN.ravel())), shape=(len(rows), bag.places))
