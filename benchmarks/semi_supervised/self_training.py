"""Logistic regression, and self-training with it in two forms, on any features; chosen within the labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Inverse strengths of the L2 penalty (scikit-learn's C) that are compared."""
ROUNDS, SHARE, TAUGHT = 5, 0.8, 20_000
"""Rounds of self-training; the share of the unlabelled texts that has a label in the last one, where it grows; and the
unlabelled texts that are used, at most, drawn anew for each cell."""

Fit = Callable[[Any, np.ndarray, Any], LogisticRegression]
"""Features and labels, and features without labels: a regression."""


def regression(strength: float) -> LogisticRegression:
    """A logistic regression with this C."""
    return LogisticRegression(C=strength, max_iter=1000)


def fitted(model: LogisticRegression, features_NH: Any, labels_N: np.ndarray) -> LogisticRegression:
    """The regression, fitted; that the optimizer used up its steps is not said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features_NH, labels_N)


def plain(strength: float) -> Fit:
    """Regression on the labels alone."""
    return lambda features, labels, _: fitted(regression(strength), features, labels)


def threshold(strength: float, confidence: float) -> Fit:
    """Self-training: texts whose likeliest label has this probability get it, five times."""

    def fit(features: Any, labels: np.ndarray, others: Any) -> LogisticRegression:
        model = fitted(regression(strength), features, labels)
        for _ in range(ROUNDS):
            stated = model.predict_proba(others)
            taken = np.flatnonzero(stated.max(-1) >= confidence)
            if len(taken) == 0:
                break
            found = model.classes_[stated[taken].argmax(-1)]
            model = fitted(regression(strength), stacked(features, others[taken]), np.concatenate([labels, found]))
        return model

    return fit


def growing(strength: float) -> Fit:
    """Self-training in growing balanced rounds: of each class the surest texts, ever more of them."""

    def fit(features: Any, labels: np.ndarray, others: Any) -> LogisticRegression:
        model = fitted(regression(strength), features, labels)
        classes = len(model.classes_)
        for number in range(1, ROUNDS + 1):
            stated = model.predict_proba(others)
            each = max(1, round(SHARE * number / ROUNDS * others.shape[0] / classes))
            taken = [np.argsort(-stated[:, place], kind="stable")[:each] for place in range(classes)]
            found = np.concatenate(
                [np.full(len(rows), label) for rows, label in zip(taken, model.classes_, strict=True)]
            )
            rows = np.concatenate(taken)
            model = fitted(regression(strength), stacked(features, others[rows]), np.concatenate([labels, found]))
        return model

    return fit


def best_strength(features: Any, labels: np.ndarray, seed: int) -> float:
    """The strength with the highest likelihood in a cross-validation among these labels."""
    return max(STRENGTHS, key=lambda strength: _held_out(plain(strength), features, labels, None, seed)[1])


def self_trained(features: Any, labels: np.ndarray, others: Any, seed: int) -> LogisticRegression:
    """Self-training in the form, and with the strength, that are best in a cross-validation among these labels.

    The strength is that of the plain regression, or ten times as much, as there are many more labels then. Forms, none
    at all among them, are compared by accuracy, equals by likelihood.
    """
    strength = best_strength(features, labels, seed)
    forms = [plain(strength)]
    for one in (strength, 10 * strength):
        forms += [threshold(one, 0.8), threshold(one, 0.9), growing(one)]
    best = max(forms, key=lambda form: _held_out(form, features, labels, others, seed))
    return best(features, labels, others)


def some(rows: np.ndarray, seed: int) -> np.ndarray:
    """At most `TAUGHT` of these rows."""
    return np.sort(np.random.default_rng([seed, 5]).permutation(rows)[:TAUGHT])


def stacked(above: Any, below: Any) -> Any:
    """Rows of one matrix above those of another."""
    return sparse.vstack([above, below]).tocsr() if sparse.issparse(above) else np.concatenate([above, below])


def _held_out(fit: Fit, features: Any, labels: np.ndarray, others: Any, seed: int) -> tuple[float, float]:
    """Accuracy and mean log-likelihood of labels that were not learned, in a cross-validation."""
    folds = min(5 if others is None else 3, int(np.unique(labels, return_counts=True)[1].min()))
    if folds < 2:
        return 0.0, 0.0
    stated = np.zeros(len(labels))
    right = np.zeros(len(labels), dtype=bool)
    for learned, held_out in StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels):
        model = fit(features[learned], labels[learned], others)
        found = model.predict_proba(features[held_out])
        places = np.searchsorted(model.classes_, labels[held_out])
        stated[held_out] = found[np.arange(len(held_out)), places]
        right[held_out] = found.argmax(-1) == places
    return float(right.mean()), float(np.log(np.maximum(stated, 1e-12)).mean())
