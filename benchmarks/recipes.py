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
        *("epochs", "best_epoch", "stopped_early", "valid_elbo_nll"),
    ),
    "evaluate": (
        *("iw_nll", "iw_nll_se", "iw_samples", "elbo_nll", "elbo_nll_se", "kl", "mi", "mi_se", "mi_cap"),
        *("mi_sentences", "active_units", "latent_dim"),
        *("ppl", "tokens", "sentences", "split", "params", "rec_nll", "permuted_rise", "collapsed"),
        *("token_accuracy", "teacher_forced_accuracy", "exact_match", "bleu"),
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
    # Of a training in several sittings its own count holds them all.
    stages = run["stage_seconds"] | {"train": report["train"].get("seconds", run["stage_seconds"]["train"])}
    row["seconds"] = round(sum(stages.values()), 1)
    row["finished"] = run["date"]
    row["made_on"] = run["hardware"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    args = parser.parse_args()
    for recipe in args.recipes:
        report = textvae.run(recipe, out=args.out / Path(recipe).stem)
        row = row_of(report)
        if "classify" in report:
            row["classify_tfidf_svm_accuracy"] = round(tfidf_svm_accuracy(args.out / Path(recipe).stem), 4)
        # A run that was up to date was made earlier than now.
        row["commit"] = results_file.commit(before=report["run"]["date"])
        results_file.add("recipes", [row], lambda one: (one["name"],), "python -m benchmarks.recipes RECIPE --out RUNS")
    pages.write_all()


if __name__ == "__main__":
    main()
