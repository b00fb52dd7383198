"""A linear probe: how well a label can be predicted from the codes of a model that was trained without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from textvae.evaluation.protocol import Corpus, Progress
from textvae.evaluation.sweep import BATCH_TOKENS, sweep
from textvae.models import TextModel

STRENGTHS = tuple(10.0**power for power in range(-4, 5))
"""Inverse strengths of the L2 penalty (scikit-learn's C) that cross-validation compares."""

_FOLDS = 5


@dataclass(frozen=True)
class Probe:
    """A logistic regression on standardized codes, and its accuracy.

    Attributes:
        accuracy: share of the test sentences whose label was predicted.
        accuracy_se: its binomial standard error.
        strength: the chosen C.
        weights: of the standardized dimensions, [1, D] for two classes, [C, D] for more.
        intercept: [1] or [C].
    """

    accuracy: float
    accuracy_se: float
    strength: float
    weights: np.ndarray
    intercept: np.ndarray


def linear_probe(
    shown_ND: np.ndarray, shown_labels_N: np.ndarray, unseen_MD: np.ndarray, unseen_labels_M: np.ndarray, *, seed: int
) -> Probe:
    """Fit a logistic regression to some labelled codes and measure its accuracy on others.

    Only the training codes determine the fit: means and deviations for standardizing, and the strength of the L2
    penalty by cross-validation (at most 5 stratified folds, standardized within each; lowest cross-entropy). Where a
    class has a single training sentence there is no cross-validation, and C is 1.

    Args:
        shown_ND: codes to train on, of at least two classes.
        shown_labels_N: their classes.
        unseen_MD: codes to test on, M > 0.
        unseen_labels_M: their classes.
        seed: of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted: Any = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=5000))
    folds = min(_FOLDS, int(np.unique(shown_labels_N, return_counts=True)[1].min()))
    shown = np.asarray(shown_ND, dtype=np.float64)
    if folds > 1:
        splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
        search = GridSearchCV(
            fitted, {"logisticregression__C": STRENGTHS}, cv=splits, scoring="neg_log_loss", error_score="raise"
        )
        fitted = search.fit(shown, shown_labels_N).best_estimator_
    else:
        fitted.fit(shown, shown_labels_N)
    right = fitted.predict(np.asarray(unseen_MD, dtype=np.float64)) == unseen_labels_M
    accuracy, regression = float(right.mean()), fitted[-1]
    error = math.sqrt(accuracy * (1.0 - accuracy) / len(right))
    return Probe(accuracy, error, float(regression.C), regression.coef_.copy(), regression.intercept_.copy())


def posterior_means(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    *,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> np.ndarray | None:
    """E_q[z] of some sentences, float32 [N, D] in the order of the indices; None where the mean of q is unknown.

    Labels are hidden from the model; a semi-supervised model encodes with its likeliest label.
    """
    indices, means_ND = np.asarray(indices), None
    with sweep(model, corpus, indices, "probe", batch_tokens=batch_tokens, progress=progress) as parts:
        for part in parts:
            try:
                mean_BD = model.posterior_of(part.batch).mean
            except NotImplementedError:
                return None
            if means_ND is None:
                means_ND = np.zeros((len(indices), mean_BD.shape[-1]), dtype=np.float32)
            means_ND[part.rows] = mean_BD.float().cpu().numpy()
    return means_ND
