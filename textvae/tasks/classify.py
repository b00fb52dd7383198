"""Classification: the label of each sentence, and how good a classifier is on sentences that it has not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from textvae.arguments import checked_share
from textvae.errors import ModelError
from textvae.evaluation.calibration import expected_calibration_error, perfect_calibration_error
from textvae.evaluation.protocol import Corpus, cpu64
from textvae.evaluation.sweep import sweep
from textvae.models import TextModel
from textvae.results import Classification
from textvae.text.batching import checked_ids
from textvae.text.given import GivenOverlong, checked_texts
from textvae.text.token_rows import TokenRows
from textvae.text.tokenized import TokenizedCorpus


def classify(
    model: TextModel, texts: Iterable[str], *, confidence: float = 0.0, overlong: GivenOverlong = "error"
) -> list[Classification]:
    """Classify sentences.

    Args:
        model: with a classifier.
        texts: sentences.
        confidence: the least probability of a label, 0 to 1; where the likeliest one has less, the label is None.
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate"); their `text` stays as given.

    Raises:
        ModelError: the model has no classifier.
        DataError: a sentence is empty, or too long.
        ConfigError: `confidence` is no probability.
    """
    least = checked_share(confidence, "confidence")
    if not model.config.classifies:
        raise ModelError(
            f"a '{model.config.kind}' model cannot classify; use the run's classify/model, "
            "or add a [classify] table to the recipe of a corpus with labels."
        )
    texts = checked_texts(texts)
    rows = TokenRows(checked_ids(texts, model.require_tokenizer(), model.max_tokens, overlong=overlong))
    answers = []
    for text, row in zip(texts, label_probabilities(model, rows).tolist(), strict=True):
        best = int(np.argmax(row))
        by_name = dict(zip(model.label_names, row, strict=True))
        label = model.label_names[best] if row[best] >= least else None
        answers.append(Classification(text, label, row[best], by_name))
    return answers


def label_probabilities(model: TextModel, rows: TokenRows) -> np.ndarray:
    """q(y|x) of each sentence, float32 [N, C], the labels in the order of `label_names`.

    Args:
        model: with a classifier.
        rows: sentences, read in batches of bounded size.
    """
    found_NC = np.zeros((len(rows), len(model.label_names)), dtype=np.float32)
    with sweep(model, rows, np.arange(len(rows)), "classify") as parts:
        for part in parts:
            found_NC[part.rows] = model.label_log_prob(part.batch).exp().cpu().numpy()
    return found_NC


def log_probabilities(model: TextModel, corpus: Corpus, indices: np.ndarray, batch_tokens: int = 8192) -> np.ndarray:
    """log q(y|x) of some sentences, nats, float64 [N, C], in the order of `indices`.

    Args:
        model: with a classifier.
        corpus: with these sentences.
        indices: their places, [N].
        batch_tokens: budget of a batch.
    """
    found_NC = np.zeros((len(indices), len(model.label_names)))
    with sweep(model, corpus, indices, "classification", batch_tokens=batch_tokens) as parts:
        for part in parts:
            found_NC[part.rows] = cpu64(model.label_log_prob(part.batch))
    return found_NC


def evaluate_classifier(
    model: TextModel,
    test_corpus: TokenizedCorpus,
    train_corpus: TokenizedCorpus,
    *,
    batch_tokens: int = 8192,
) -> dict[str, Any]:
    """Measure a classifier on held-out sentences.

    Args:
        model: the classifier.
        test_corpus: sentences with labels; those without one are left out.
        train_corpus: where the most frequent label, the baseline, is counted.
        batch_tokens: budget of a batch.

    Returns:
        accuracy and its standard error, majority_accuracy (of always predicting training's most frequent label),
        nll (mean of -log q(y|x), nats), ece (expected calibration error) and ece_perfect (what the number of sentences
        alone makes of it), sentences, label_names, confusion (rows: true label, columns: predicted label) and f1 by
        label. Nothing where no test sentence has a label.
    """
    truth_N = np.asarray(test_corpus.labels)
    rows = np.flatnonzero(truth_N >= 0)
    if len(rows) == 0:
        return {}
    truth = truth_N[rows]
    probabilities = np.exp(log_probabilities(model, test_corpus, rows, batch_tokens))
    answers = probabilities.argmax(-1)
    classes = len(model.label_names)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truth, answers), 1)
    seen = np.asarray(train_corpus.labels)
    majority = int(np.bincount(seen[seen >= 0], minlength=classes).argmax())
    accuracy = float((answers == truth).mean())
    hits = np.diag(confusion)
    f1 = 2 * hits / np.maximum(confusion.sum(0) + confusion.sum(1), 1)
    true_probability = probabilities[np.arange(len(rows)), truth]
    return {
        "accuracy": accuracy,
        "accuracy_se": float(np.sqrt(accuracy * (1 - accuracy) / len(rows))),
        "majority_accuracy": float((truth == majority).mean()),
        "majority_label": model.label_names[majority],
        "nll": float(-np.log(np.maximum(true_probability, 1e-300)).mean()),
        "ece": expected_calibration_error(probabilities, truth),
        "ece_perfect": perfect_calibration_error(probabilities, seed=0),
        "sentences": len(rows),
        "label_names": list(model.label_names),
        "confusion": confusion.tolist(),
        "f1": {name: float(value) for name, value in zip(model.label_names, f1, strict=True)},
    }
