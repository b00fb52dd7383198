"""Run recipes and put their numbers into `benchmarks/results/recipes.json` and `docs/results.md`.

    TEXTVAE_DATA=... python -m benchmarks.recipes demo yelp_lstm ptb_lstm --out DIR

Each recipe runs into DIR/NAME; what is up to date there is not run again, so the command may be repeated. Rows of
recipes that are not named stay as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import textvae
from benchmarks import pages, results_file
from benchmarks.tfidf_baseline import tfidf_svm_accuracy

TAKEN = {
    "tokenize": ("vocab_size",),
    "train": (
        *("train_tokens", "train_seconds", "train_cpu_seconds", "tokens_per_second", "peak_memory_mb"),
        *("parameters", "epochs"),
    ),
    "evaluate": (
        *("iw_nll", "iw_nll_se", "iw_samples", "elbo_nll", "elbo_nll_se", "kl", "mi", "active_units", "latent_dim"),
        *("ppl", "tokens", "sentences", "split", "params", "rec_nll", "permuted_rise", "collapsed"),
        *("token_accuracy", "exact_match", "bleu"),
    ),
    "classify": ("accuracy", "accuracy_se", "majority_accuracy", "labels"),
    "impute": ("accuracy", "top5", "baseline_accuracy", "sentences"),
    "interpolate": ("smoothness",),
}
"""Numbers of each stage that become a row; those of evaluate keep their names, the others bear their stage's."""


def finished_report(run: Path) -> dict[str, Any] | None:
    """The report of a run that was evaluated; None when it is not finished."""
    if not (run / "report.json").exists():
        return None
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return report if "evaluate" in report else None


def row_of(report: dict[str, Any]) -> dict[str, Any]:
    run = report["run"]
    row: dict[str, Any] = {"name": run["recipe"], "seed": run["seed"], "seconds": run["seconds"]}
    for stage, names in TAKEN.items():
        for name in names:
            if name in report.get(stage, {}):
                key = name if stage in ("evaluate", "train") else f"{stage}_{name}"
                row[key] = report[stage][name]
    row |= {name: value for name, value in report.get("evaluate", {}).items() if name.startswith("probe_accuracy")}
    row["seconds"] = round(sum(run["stage_seconds"].values()), 1)
    row["finished"] = run["date"]
    row["made_on"] = run["hardware"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    args = parser.parse_args()
    path = results_file.RESULTS / "recipes.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    for recipe in args.recipes:
        report = textvae.run(recipe, out=args.out / Path(recipe).stem)
        row = row_of(report)
        if "classify" in report:
            row["classify_tfidf_svm_accuracy"] = round(tfidf_svm_accuracy(args.out / Path(recipe).stem), 4)
        # A run that was up to date was made earlier than now.
        row["commit"] = results_file.commit(before=report["run"]["date"])
        rows = [old for old in rows if old["name"] != row["name"]] + [row]
        results_file.write("recipes", sorted(rows, key=lambda one: one["name"]))
    pages.write_all()
    print(path)


if __name__ == "__main__":
    main()
