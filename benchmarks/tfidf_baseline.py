"""The baseline of classifiers and probes: a linear SVM on TF-IDF 1-2 grams, trained with the same labels.

python -m benchmarks.tfidf_baseline runs/demo 600
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from textvae.text.few_labels import choose_labelled
from textvae.text.tokenized import TokenizedCorpus


def tfidf_svm_accuracies(run: Path, labels: Sequence[int]) -> list[float]:
    """Test accuracy for each number of labels.

    Inverse document frequencies come from all training sentences, whose texts a VAE sees as well.

    Args:
        run: a finished run of a corpus with labels.
        labels: how many training sentences show theirs, for each accuracy: those that a classifier or a probe with so
            many saw.
    """
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    train, test = (TokenizedCorpus(run / "tokenize" / f"{split}.arrow") for split in ("train", "test"))
    truth = np.asarray(train.labels)
    vectors = TfidfVectorizer(ngram_range=(1, 2)).fit(train.text(i) for i in range(len(train)))
    labelled = np.flatnonzero(np.asarray(test.labels) >= 0)
    unseen, right = vectors.transform([test.text(i) for i in labelled]), np.asarray(test.labels)[labelled]
    accuracies = []
    for count in labels:
        shown = choose_labelled(truth, count, len(train.label_names), report["run"]["seed"])
        svm = LinearSVC().fit(vectors.transform([train.text(i) for i in shown]), truth[shown])
        accuracies.append(float(svm.score(unseen, right)))
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run of a corpus with labels")
    parser.add_argument("labels", type=int, help="number of training sentences whose label is used")
    args = parser.parse_args()
    (accuracy,) = tfidf_svm_accuracies(args.run, [args.labels])
    print(f"{accuracy:.4f}")


if __name__ == "__main__":
    main()
