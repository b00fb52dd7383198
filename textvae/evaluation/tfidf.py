"""A linear support vector machine on TF-IDF of words and pairs of words: the baseline of classifiers and probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from textvae.evaluation.protocol import TextCorpus
from textvae.text.few_labels import choose_labelled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer


def tfidf_of(texts: Sequence[str]) -> TfidfVectorizer:
    """The vocabulary and the inverse document frequencies of texts, with scikit-learn's defaults."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2)).fit(texts)


class TfidfSVM:
    """A linear support vector machine on TF-IDF, with scikit-learn's defaults.

    Args:
        vectors: fitted to all texts that may be seen, with labels or without (`tfidf_of`).
        texts: those it learns from.
        label_N: the class of each, [N]. With a single class it always answers that one.
    """

    def __init__(self, vectors: TfidfVectorizer, texts: Sequence[str], label_N: np.ndarray) -> None:
        from sklearn.svm import LinearSVC

        self._vectors = vectors
        self._only = int(label_N[0]) if len(np.unique(label_N)) < 2 else None
        self._svm = LinearSVC().fit(vectors.transform(texts), label_N) if self._only is None else None

    def labels_of(self, texts: Sequence[str]) -> np.ndarray:
        """The class of each text, int64 [N]; that of a text without a known word is the same for all such texts."""
        return self.labels_of_vectors(self._vectors.transform(texts))

    def labels_of_vectors(self, rows: csr_matrix) -> np.ndarray:
        """The same, of texts that were made into vectors before, int64 [N]."""
        if self._svm is None:
            return np.full(rows.shape[0], self._only, dtype=np.int64)
        return np.asarray(self._svm.predict(rows), dtype=np.int64)


def tfidf_accuracies(train: TextCorpus, test: TextCorpus, counts: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
    """Test accuracy from few labels, with scikit-learn's defaults.

    Inverse document frequencies come from all training sentences, whose texts a VAE sees as well.

    Args:
        train: with labels.
        test: those of its sentences that have no label are left out.
        counts: how many training sentences show their label, [C].
        seeds: of the draws of these, as by `choose_labelled`: with the same seed a classifier or a probe sees the same,
            [S].

    Returns:
        accuracies, float64 [C, S]. From labels of a single class, that of always answering it.
    """
    truth_N = np.asarray(train.labels)
    texts = [train.text(index) for index in range(len(train))]
    vectors = tfidf_of(texts)
    tested, right_M = labelled_texts(test)
    unseen = vectors.transform(tested)
    found = np.zeros((len(counts), len(seeds)))
    for row, count in enumerate(counts):
        for column, seed in enumerate(seeds):
            shown = choose_labelled(truth_N, count, len(train.label_names), seed)
            svm = TfidfSVM(vectors, [texts[index] for index in shown], truth_N[shown])
            found[row, column] = (svm.labels_of_vectors(unseen) == right_M).mean()
    return found


def labelled_texts(corpus: TextCorpus) -> tuple[list[str], np.ndarray]:
    """The texts of a corpus that have a label, and their classes, [M]."""
    label_N = np.asarray(corpus.labels)
    rows = np.flatnonzero(label_N >= 0)
    return [corpus.text(int(row)) for row in rows], label_N[rows]
