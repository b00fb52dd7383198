"""Paired comparison of finished runs: mean difference of NLL over the same test sentences, with its standard error.

    python -m benchmarks.paired RUN BASELINE...

Most of the standard error of a mean over sentences is the difference between sentences, which two models share. A
comparison therefore uses the standard error of the mean difference. A bound is compared with a bound of as many samples
or with an exact value. The NLLs are read from `evaluate/by_sentence.arrow` of the runs, or with `--iw-samples K`
measured again. The row is written to `benchmarks/results/paired.json` and `docs/results.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pages, results_file
from textvae.errors import TextVAEError
from textvae.evaluation import likelihood
from textvae.evaluation.paired import SentenceNLL, paired_difference
from textvae.models import load_model
from textvae.pipeline.comparing import FinishedRun, read_run, require_same_tokens, sentence_nll
from textvae.text.tokenized import TokenizedCorpus


def measured_anew(run: FinishedRun, iw_samples: int) -> SentenceNLL:
    corpus = TokenizedCorpus(run.folder / "tokenize" / "test.arrow")
    found = likelihood(load_model(run.folder / "train" / "model").eval(), corpus, num_samples=iw_samples)
    assert found.iw_nll is not None, "a posterior without a density has no importance weights"
    return SentenceNLL(found.iw_nll, 0 if found.exact else iw_samples, np.arange(len(corpus)))


def difference(run: FinishedRun, mine: SentenceNLL, baseline: FinishedRun, theirs: SentenceNLL) -> dict[str, Any]:
    """The row of a pair.

    Raises:
        TextVAEError: other sentences, another vocabulary, or bounds of other numbers of samples.
    """
    require_same_tokens(run, baseline, mine)
    found = paired_difference(mine, theirs)
    return {
        "name": f"{run.folder.resolve().name} - {baseline.folder.resolve().name}",
        "seed": run.report["run"]["seed"],
        "run": run.folder.resolve().name,
        "baseline": baseline.folder.resolve().name,
        "iw_samples": found.samples,
        "nll": found.nll,
        "baseline_nll": found.other_nll,
        "difference": found.difference,
        "difference_se": found.difference_se,
        "sentences": found.sentences,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("baselines", type=Path, nargs="+", metavar="BASELINE")
    parser.add_argument("--iw-samples", type=int, help="measure again, with this many samples")
    args = parser.parse_args()

    def measured(one: FinishedRun) -> SentenceNLL:
        return measured_anew(one, args.iw_samples) if args.iw_samples else sentence_nll(one)

    try:
        run, baselines = read_run(args.run), [read_run(one) for one in args.baselines]
        mine = measured(run)
        rows = [difference(run, mine, baseline, measured(baseline)) for baseline in baselines]
    except TextVAEError as error:
        raise SystemExit(str(error)) from None
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
