"""Test accuracy from few labels: what a user would pick, and ours, on the same draws of labels.

    TEXTVAE_DATA=... python -m benchmarks.semi_supervised --out DIR [--corpora NAME ...] [--methods NAME ...]

`labels` counts every label that a method looks at, those that choose a penalty, an epoch or a temperature too. They are
drawn equally many of each class. All methods see the same draws. Rows that are in the results file are not made again;
`--anew` makes those of the named methods anew. DIR keeps what cells share: features, and trained encoders.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pages, results_file
from benchmarks.semi_supervised.minilm import minilm_finetuned, minilm_logistic, minilm_self_training
from benchmarks.semi_supervised.ours import probe, semi_supervised, semi_supervised_pretrained, supervised
from benchmarks.semi_supervised.protocol import COUNTS, Answer, Cell, Method, Texts, cells, read
from benchmarks.semi_supervised.tfidf import tfidf_self_training, tfidf_svm
from textvae.evaluation.calibration import expected_calibration_error, perfect_calibration_error

NAME = "semi_supervised"

METHODS: dict[str, Method] = {
    method.__name__: method
    for method in (
        tfidf_svm,
        tfidf_self_training,
        minilm_logistic,
        minilm_self_training,
        minilm_finetuned,
        supervised,
        probe,
        semi_supervised,
        semi_supervised_pretrained,
    )
}


def row_of(name: str, texts: Texts, cell: Cell, out: Path) -> dict[str, Any]:
    """Train and measure one classifier."""
    began = time.monotonic()
    answer = METHODS[name](texts, cell, out)
    seconds = time.monotonic() - began
    right = answer.label_M == texts.test_labels
    return {
        "name": name,
        "seed": cell.draw,
        **cell._asdict(),
        "accuracy": round(float(right.mean()), 5),
        **_stated(answer, texts.test_labels),
        "sentences": len(right),
        "unlabeled": answer.unlabeled,
        "truncated": answer.truncated,
        "seconds": round(seconds, 1),
        "commit": results_file.commit(),
        "made_on": results_file.hardware(),
    }


def _stated(answer: Answer, truth: np.ndarray) -> dict[str, float]:
    """How good the stated probabilities are; nothing where there are none."""
    stated = answer.probability_MC
    if stated is None:
        return {}
    stated = np.asarray(stated, dtype=np.float64)
    nll = -np.log(np.maximum(stated[np.arange(len(truth)), truth], 1e-12)).mean()
    return {
        "nll": round(float(nll), 5),
        "ece": round(expected_calibration_error(stated, truth), 5),
        "ece_perfect": round(perfect_calibration_error(stated, seed=0), 5),
    }


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """By which rows are told apart and sorted."""
    return (list(COUNTS).index(row["corpus"]), row["labels"], row["name"], row["draw"])


def made(path: Path = results_file.RESULTS / f"{NAME}.json") -> set[tuple[Any, ...]]:
    """The rows that are in the results file."""
    return {key(row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]} if path.exists() else set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpora", nargs="+", choices=list(COUNTS), default=list(COUNTS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--anew", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    there = set() if given.anew else made()
    for corpus in given.corpora:
        texts = None
        for name in given.methods:
            for cell in cells(corpus):
                if key({"name": name, **cell._asdict()}) in there:
                    continue
                texts = read(corpus) if texts is None else texts
                row = row_of(name, texts, cell, given.out)
                print(json.dumps(row), flush=True)
                command = f"python -m benchmarks.{NAME} --out DIR"
                results_file.add(NAME, [row], key=key, command=command)
    pages.write_all()


if __name__ == "__main__":
    main()
