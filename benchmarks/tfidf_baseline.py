"""The baseline of classifiers and probes: a linear SVM on TF-IDF 1-2 grams, trained with the same labels.

python -m benchmarks.tfidf_baseline runs/demo 600
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from textvae.evaluation.tfidf import tfidf_accuracies
from textvae.text.tokenized import TokenizedCorpus


def tfidf_svm_accuracies(run: Path, labels: Sequence[int]) -> list[float]:
    """Test accuracy for each number of labels.

    Args:
        run: a finished run of a corpus with labels.
        labels: how many training sentences show theirs, for each accuracy: those that a classifier or a probe with so
            many saw.
    """
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    train, test = (TokenizedCorpus(run / "tokenize" / f"{split}.arrow") for split in ("train", "test"))
    return [float(one) for one in tfidf_accuracies(train, test, labels, [report["run"]["seed"]])[:, 0]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run of a corpus with labels")
    parser.add_argument("labels", type=int, help="number of training sentences whose label is used")
    args = parser.parse_args()
    (accuracy,) = tfidf_svm_accuracies(args.run, [args.labels])
    print(f"{accuracy:.4f}")


if __name__ == "__main__":
    main()
