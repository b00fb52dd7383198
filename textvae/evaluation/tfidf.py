"""The baseline of classifiers and probes: a linear support vector machine on TF-IDF of words and pairs of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textvae.evaluation.protocol import TextCorpus
from textvae.text.few_labels import choose_labelled


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
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    truth = np.asarray(train.labels)
    texts = [train.text(index) for index in range(len(train))]
    vectors = TfidfVectorizer(ngram_range=(1, 2)).fit(texts)
    labelled = np.flatnonzero(np.asarray(test.labels) >= 0)
    unseen = vectors.transform([test.text(int(index)) for index in labelled])
    right = np.asarray(test.labels)[labelled]
    found = np.zeros((len(counts), len(seeds)))
    for row, count in enumerate(counts):
        for column, seed in enumerate(seeds):
            shown = choose_labelled(truth, count, len(train.label_names), seed)
            if len(np.unique(truth[shown])) < 2:
                found[row, column] = (right == truth[shown[0]]).mean()
                continue
            svm = LinearSVC().fit(vectors.transform([texts[index] for index in shown]), truth[shown])
            found[row, column] = svm.score(unseen, right)
    return found
