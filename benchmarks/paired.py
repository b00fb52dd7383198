"""Paired comparison of finished runs: mean difference of NLL over the same test sentences, with its standard error.

    python -m benchmarks.paired RUN BASELINE...

Most of the standard error of a mean over sentences is the difference between sentences, which two models share. A
comparison therefore uses the standard error of the mean difference. A bound is compared with a bound of as many samples
or with an exact value. The NLLs are read from `evaluate/by_sentence.arrow` of the runs, or with `--iw-samples K`
measured again. The row is written to `benchmarks/results/paired.json` and `docs/results.md`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import feather

from benchmarks import pages, results_file
from benchmarks.rows import finished_report
from textvae.evaluation import likelihood
from textvae.models import load_model
from textvae.pipeline.stages.evaluate import BY_SENTENCE
from textvae.text.tokenized import TokenizedCorpus


@dataclass(frozen=True)
class Measured:
    """Minus log p(x) or its bound for each of some test sentences, nats; `samples` is 0 where it is exact."""

    nll_N: np.ndarray
    samples: int
    sentences: np.ndarray
    seed: int


def as_evaluated(run: Path) -> Measured:
    report, path = finished_report(run), run / "evaluate" / BY_SENTENCE
    if report is None or not path.exists():
        raise SystemExit(f"{run} has no evaluate/{BY_SENTENCE}; run its stage evaluate again, or give --iw-samples.")
    found = feather.read_table(path)
    exact = report["evaluate"]["iw_nll_se"] == 0
    samples = 0 if exact else report["evaluate"]["iw_samples"]
    nll_N = found["iw_nll"].to_numpy()
    return Measured(nll_N, samples, found["sentence"].to_numpy(), report["run"]["seed"])


def measured_anew(run: Path, iw_samples: int) -> Measured:
    report = finished_report(run)
    assert report is not None, f"{run} is not finished"
    corpus = TokenizedCorpus(run / "tokenize" / "test.arrow")
    found = likelihood(load_model(run / "train" / "model").eval(), corpus, num_samples=iw_samples)
    assert found.iw_nll is not None, "a posterior without a density has no importance weights"
    samples = 0 if found.exact else iw_samples
    return Measured(found.iw_nll, samples, np.arange(len(corpus)), report["run"]["seed"])


def difference(run: Path, mine: Measured, baseline: Path, theirs: Measured) -> dict[str, Any]:
    """The row of a pair.

    Raises:
        SystemExit: other sentences, another vocabulary, or bounds of other numbers of samples.
    """
    texts = [TokenizedCorpus(one / "tokenize" / "test.arrow") for one in (run, baseline)]
    same = np.array_equal(mine.sentences, theirs.sentences) and len(texts[0]) == len(texts[1])
    if not same or any(not np.array_equal(texts[0].ids(i), texts[1].ids(i)) for i in mine.sentences):
        raise SystemExit(
            f"{run} and {baseline} have different test sentences or vocabularies, expected the same; give runs of one "
            "corpus and one [tokenize] table."
        )
    if mine.samples and theirs.samples and mine.samples != theirs.samples:
        raise SystemExit(
            f"got bounds of {mine.samples} and of {theirs.samples} samples, expected the same number; "
            "give --iw-samples."
        )
    difference_N = mine.nll_N - theirs.nll_N
    return {
        "name": f"{run.name} - {baseline.name}",
        "seed": mine.seed,
        "run": run.name,
        "baseline": baseline.name,
        "iw_samples": max(mine.samples, theirs.samples),
        "nll": float(mine.nll_N.mean()),
        "baseline_nll": float(theirs.nll_N.mean()),
        "difference": float(difference_N.mean()),
        "difference_se": float(difference_N.std(ddof=1) / len(difference_N) ** 0.5),
        "sentences": len(difference_N),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("baselines", type=Path, nargs="+", metavar="BASELINE")
    parser.add_argument("--iw-samples", type=int, help="measure again, with this many samples")
    args = parser.parse_args()

    def measured(one: Path) -> Measured:
        return measured_anew(one, args.iw_samples) if args.iw_samples else as_evaluated(one)

    mine = measured(args.run)
    rows = [difference(args.run, mine, baseline, measured(baseline)) for baseline in args.baselines]
    for row in rows:
        print(f"{row['name']}: {row['difference']:+.3f} ± {row['difference_se']:.3f} nats per sentence")
    results_file.add(
        "paired",
        rows,
        lambda one: (one["name"], one["iw_samples"], one["seed"]),
        "python -m benchmarks.paired RUN BASELINE... --iw-samples K",
    )
    pages.write_all()


if __name__ == "__main__":
    main()
