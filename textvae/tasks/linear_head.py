"""The linear layer of a classifier, fitted to the encoder's features of few labelled sentences."""

from __future__ import annotations

import numpy as np
import torch

from textvae.evaluation.probe import fitted_regression
from textvae.evaluation.protocol import Corpus, TextCorpus
from textvae.evaluation.sweep import sweep
from textvae.models import SemiSupervisedTextVAE

_UNSEEN = -10.0
"""The logit of a class that no labelled sentence has."""


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
def fit_head(model: SemiSupervisedTextVAE, corpus: TextCorpus, rows: np.ndarray, *, seed: int) -> None:
    """Give the classifier the weights of a logistic regression on the encoder's features.

    They are those of `textvae.evaluation.probe.linear_probe`, which standardizes the features and chooses the penalty
    by cross-validation among these rows; standardizing is made part of the weights.

    Args:
        model: its classifier is changed.
        corpus: with labels.
        rows: labelled sentences. Where one of the classes has none, its logit is far below the others.
        seed: of the folds.
    """
    labels_N = np.asarray(corpus.labels)[rows]
    seen = np.unique(labels_N)
    weight_CH = np.zeros((len(model.label_names), model.encoder.feature_dim))
    bias_C = np.full(len(model.label_names), _UNSEEN)
    if len(seen) == 1:
        bias_C[seen] = 0.0
    else:
        scaler, regression = fitted_regression(features(model, corpus, rows), labels_N, seed=seed)
        # For two classes scikit-learn has the logit of the second one alone.
        coefficients, intercepts = regression.coef_ / scaler.scale_, regression.intercept_
        intercepts = intercepts - coefficients @ scaler.mean_
        if len(seen) == 2:
            coefficients = np.stack([-coefficients[0] / 2, coefficients[0] / 2])
            intercepts = np.stack([-intercepts[0] / 2, intercepts[0] / 2])
        weight_CH[seen], bias_C[seen] = coefficients, intercepts
    model.set_classifier(torch.from_numpy(weight_CH), torch.from_numpy(bias_C))
