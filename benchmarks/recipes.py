"""Run recipes and put their numbers into `benchmarks/results/recipes.json` and `docs/results.md`.

    TEXTVAE_DATA=... python -m benchmarks.recipes demo yelp_lstm ptb_lstm --out DIR

The run folder of each recipe is DIR/NAME. Stages that are up to date there are not run again, so the command can be
repeated. Rows of other recipes are not changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import textvae
from benchmarks import pages, results_file
from benchmarks.rows import row_of
from benchmarks.tfidf_baseline import tfidf_svm_accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    args = parser.parse_args()
    for recipe in args.recipes:
        report = textvae.run(recipe, out=args.out / Path(recipe).stem)
        row = row_of(report)
        if "classify" in report:
            (accuracy,) = tfidf_svm_accuracies(args.out / Path(recipe).stem, [report["classify"]["labels"]])
            row["classify_tfidf_svm_accuracy"] = round(accuracy, 4)
        # A run that was up to date was made earlier than now.
        row["commit"] = results_file.commit(before=report["run"]["date"])
        results_file.add("recipes", [row], lambda one: (one["name"],), "python -m benchmarks.recipes RECIPE --out RUNS")
    pages.write_all()


if __name__ == "__main__":
    main()
