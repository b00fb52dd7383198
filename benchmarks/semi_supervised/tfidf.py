"""TF-IDF of words and pairs of words of the whole text: a linear SVM, and self-training with logistic regression."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.semi_supervised.protocol import Answer, Cell, Texts
from benchmarks.semi_supervised.self_training import self_trained, some
from textvae.evaluation.tfidf import TfidfSVM, tfidf_of


@lru_cache(maxsize=1)
def _vectors(name: str, texts: tuple[str, ...], test_texts: tuple[str, ...]) -> tuple[Any, Any, Any]:
    """The frequencies of all training texts, and the vectors of training and test texts by these."""
    vectors = tfidf_of(texts)
    return vectors, vectors.transform(texts), vectors.transform(test_texts)


def tfidf_svm(texts: Texts, cell: Cell, out: Path) -> Answer:
    """A linear SVM with scikit-learn's defaults."""
    vectors, _, unseen = _vectors(texts.name, tuple(texts.texts), tuple(texts.test_texts))
    chosen = texts.chosen(cell)
    svm = TfidfSVM(vectors, [texts.texts[row] for row in chosen], texts.labels[chosen])
    return Answer(svm.labels_of_vectors(unseen), None, unlabeled=0)


def tfidf_self_training(texts: Texts, cell: Cell, out: Path) -> Answer:
    """Logistic regression with self-training."""
    _, known, unseen = _vectors(texts.name, tuple(texts.texts), tuple(texts.test_texts))
    chosen = texts.chosen(cell)
    others = some(texts.unlabelled(chosen), cell.draw)
    model = self_trained(known[chosen], texts.labels[chosen], known[others], cell.draw)
    stated = model.predict_proba(unseen)
    return Answer(model.classes_[stated.argmax(-1)], stated, unlabeled=len(others))
