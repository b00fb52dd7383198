"""Train and evaluate the rows of a table under one protocol, and write its results file and page.

    TEXTVAE_DATA=... python -m benchmarks.tables ptb --out DIR
    TEXTVAE_DATA=... python -m benchmarks.tables ptb --out DIR --rows lm vae_free_bits --budget converged
    python -m benchmarks.tables ptb --out DIR --collect

A row is a recipe of `pipelines/`. Its run folder is DIR/TABLE_BUDGET_ROW (with _seedN for a seed other than 0); an
interrupted run resumes there, and a finished run is not repeated. Other rows of the file are not changed. `--collect`
runs nothing and reads the finished runs in DIR, also those that a later version of the package would train again, but
refuses runs with other settings.

Budgets: `45min` is the recipe without changes, with as many epochs as take at most 45 minutes of processor time on the
machine that `made_on` names (`train_cpu_seconds` is the actual time); rows can be trained in parallel, a thread each.
`converged` is larger and more strongly regularised, its learning rate falls over so many epochs that validation stops
improving before the end (`best_epoch`), and it has only some of the rows. A row that starts from another row names it
in `starts_from`; its times do not include the training of that row.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import pages, results_file
from benchmarks.rows import RowRun, probed_with
from benchmarks.tfidf_baseline import tfidf_svm_accuracies

ROWS = {
    "ptb": (
        *("lm", "vae", "vae_max_pool", "vae_free_bits", "vae_pretrain_free_bits", "vae_word_dropout", "vae_cyclical"),
        *("vae_aggressive", "vae_batch_norm", "vae_transformer", "vae_semi_amortized", "vae_linear", "vae_inputless"),
        # A control of the converged rows.
        "lm_continued",
    ),
    "yelp": ("lm", "vae", "vae_free_bits", "vae_pretrain_free_bits"),
}
"""Table -> its rows in the order of worth; the recipe of a row is `pipelines/TABLE_ROW.toml`."""

RESULTS = {"ptb": "ptb", "yelp": "yelp_short"}
"""Table -> the name of its file in `benchmarks/results/`."""

_LARGER = {
    "train.optimizer.weight_decay": 0.03,
    "train.model.decoder.hidden_dim": 512,
    "train.model.decoder.dropout": 0.4,
    "train.model.decoder.state_dropout": 0.3,
    "evaluate.iw_samples": 500,
}

BUDGETS: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("ptb", "45min"): {row: {} for row in ROWS["ptb"] if row != "lm_continued"},
    ("ptb", "converged"): {
        "lm": {**_LARGER, "train.epochs": 24},
        # Half the learning rate, for its decoder is the language model's.
        "vae_free_bits": {
            **_LARGER,
            "train.model.encoder.hidden_dim": 512,
            "train.epochs": 12,
            "train.optimizer.lr": 1.5e-3,
        },
        # What the language model gains by as many epochs more, and by the word dropout of that VAE.
        "lm_continued": {**_LARGER, "train.epochs": 12},
    },
    ("yelp", "45min"): {row: {} for row in ROWS["yelp"]},
}
"""Table and budget -> the rows it has, each with the settings laid over its recipe."""

STARTS_FROM = {
    ("ptb", "45min", "vae_semi_amortized"): ("vae_free_bits", "all"),
    ("ptb", "converged", "vae_free_bits"): ("lm", "decoder"),
    ("ptb", "converged", "lm_continued"): ("lm", "all"),
}
"""Rows that begin with the weights of another row, and with which of them."""


@dataclass(frozen=True)
class Place:
    """Which rows: of a table, under a budget, by a seed, in a folder of runs."""

    table: str
    budget: str
    seed: int
    out: Path

    def folder(self, row: str) -> Path:
        return self.out / (f"{self.table}_{self.budget}_{row}" + (f"_seed{self.seed}" if self.seed else ""))

    def command(self, row: str = "") -> str:
        """What trains and evaluates a row, or all of them, wherever its runs are kept."""
        words = ["python -m benchmarks.tables", self.table, f"--budget {self.budget}"]
        words += [f"--rows {row}"] if row else []
        words += [f"--seed {self.seed}"] if self.seed else []
        return " ".join([*words, "--out RUNS"])

    def overlay(self, row: str) -> dict[str, Any]:
        """The settings laid over a row's recipe."""
        settings = dict(BUDGETS[self.table, self.budget][row])
        if (self.table, self.budget, row) in STARTS_FROM:
            source, parts = STARTS_FROM[self.table, self.budget, row]
            settings["train.start_from"] = {"run": str(self.folder(source)), "parts": parts}
        return settings | ({"seed": self.seed} if self.seed else {})

    def run(self, row: str) -> RowRun:
        source, _ = STARTS_FROM.get((self.table, self.budget, row), ("", ""))
        recipe = f"pipelines/{self.table}_{row}.toml"
        return RowRun(recipe, self.overlay(row), self.folder(row), self.command(row), source)


def collect(place: Place, row: str) -> dict[str, Any] | None:
    """The row of a finished run; None when it is not finished.

    Raises:
        SystemExit: the run was made by other settings than this row has.
    """
    run = place.run(row)
    collected = run.collect()
    if collected is None:
        return None
    found, report = collected
    for point in json.loads((run.folder / "evaluate" / "details.json").read_text(encoding="utf-8")).get("curve", []):
        # The bound by its number of samples, from the same samples.
        if point["iw_samples"] < found["iw_samples"]:
            found[f"iw_nll_{point['iw_samples']}"] = point["iw_nll"]
    probed = probed_with(found)
    if probed:
        for labels, accuracy in zip(probed, tfidf_svm_accuracies(run.folder, probed), strict=True):
            found[f"tfidf_svm_accuracy_{labels}"] = round(accuracy, 4)
    found["precision"] = report["run"]["settings"]["train"].get("precision", "float32")
    return {"name": row, "budget": place.budget, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=ROWS)
    parser.add_argument("--rows", nargs="+", help="names of rows; all rows of the budget when absent")
    parser.add_argument("--budget", choices=sorted({budget for _, budget in BUDGETS}), default="45min")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--collect", action="store_true", help="run nothing, and write the rows of finished runs")
    args = parser.parse_args()
    rows = BUDGETS.get((args.table, args.budget), {})
    if not rows:
        parser.error(f"the table {args.table} has no budget {args.budget}")
    for row in args.rows or rows:
        if row not in rows:
            parser.error(f"the budget {args.budget} of {args.table} has no row {row}; it has {', '.join(rows)}")
    place = Place(args.table, args.budget, args.seed, args.out)
    order = list(ROWS[args.table])
    for row in args.rows or rows:
        if not args.collect:
            place.run(row).train()
        found = collect(place, row)
        results_file.add(
            RESULTS[args.table],
            [] if found is None else [found],
            lambda one: (one["budget"], order.index(one["name"]), one["seed"]),
            f"python -m benchmarks.tables {args.table} --budget BUDGET --out RUNS",
        )
    pages.write_all()


if __name__ == "__main__":
    main()
