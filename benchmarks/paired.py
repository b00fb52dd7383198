"""By how much one finished run is likelier than another on the same test sentences, and how sure that is.

    python -m benchmarks.paired RUN BASELINE --iw-samples 20

The standard error of a mean over sentences is mostly how sentences differ, which two models share; that of the mean of
the differences is what a comparison needs. A bound is compared with a bound of as many samples, or with an exact value.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from textvae.evaluation import likelihood
from textvae.models import load_model
from textvae.text.tokenized import TokenizedCorpus


def sentence_nll(run: Path, iw_samples: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Minus log p(x) or its bound for each test sentence, nats; the sentences' ids, one after the other; if exact."""
    corpus = TokenizedCorpus(run / "tokenize" / "test.arrow")
    found = likelihood(load_model(run / "train" / "model").eval(), corpus, num_samples=iw_samples)
    assert found.iw_nll is not None, "a posterior without a density has no importance weights"
    return found.iw_nll, np.concatenate([corpus.ids(i) for i in range(len(corpus))]), found.exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN")
    parser.add_argument("--iw-samples", type=int, default=20)
    args = parser.parse_args()
    (first_N, ids, first_exact), (second_N, other_ids, second_exact) = (
        sentence_nll(run, args.iw_samples) for run in args.runs
    )
    if not np.array_equal(ids, other_ids):
        parser.error("the runs have other test sentences, or another vocabulary; nothing to compare by sentence")
    for run, nll_N, exact in ((args.runs[0], first_N, first_exact), (args.runs[1], second_N, second_exact)):
        print(f"{run.name}: {nll_N.mean():.3f} nats a sentence ({'exact' if exact else f'IW-{args.iw_samples}'})")
    difference_N = first_N - second_N
    error = difference_N.std(ddof=1) / len(difference_N) ** 0.5
    print(f"difference: {difference_N.mean():+.3f} ± {error:.3f} over {len(difference_N)} sentences")


if __name__ == "__main__":
    main()
