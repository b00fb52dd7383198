"""Train and evaluate the rows of a table under one protocol, and write its results file and page.

    TEXTVAE_DATA=... python -m benchmarks.tables ptb --out DIR
    TEXTVAE_DATA=... python -m benchmarks.tables ptb --out DIR --rows lm vae_free_bits --budget converged
    python -m benchmarks.tables ptb --out DIR --collect

A row is a recipe of `pipelines/`; it runs into DIR/TABLE_BUDGET_ROW, resumes there, and is not run again when it is
finished. Rows in the file that are not among those run stay as they are. `--collect` runs nothing and takes what is
finished in DIR, also when a later version of the package would train it anew.

Budgets: `45min` is the recipe as it stands, whose epochs take about 45 minutes of processor time on the machine that
`made_on` names (`train_cpu_seconds` says exactly); rows may be trained side by side, a thread each. `converged` is
larger, more strongly regularised, and trained until validation stops improving. What a row began with is in its
`starts_from`, and not in its times.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import textvae
from benchmarks import pages, results_file
from benchmarks.recipes import finished_report, row_of
from textvae.pipeline.settings import parse_assignment

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

CONTROLS = {"lm_continued"}
"""Rows of the budgets that name them, and of no other."""

RESULTS = {"ptb": "ptb", "yelp": "yelp_short"}
"""Table -> the name of its file in `benchmarks/results/`."""

_LARGER = {
    "train.optimizer.weight_decay": 0.03,
    "train.model.decoder.hidden_dim": 512,
    "train.model.decoder.dropout": 0.4,
    "train.model.decoder.state_dropout": 0.3,
    "evaluate.iw_samples": 500,
}

BUDGETS: dict[str, dict[str, dict[str, Any]]] = {
    "45min": {},
    "converged": {
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
}
"""Budget -> row -> settings laid over its recipe; a row that is not named keeps its recipe's."""

STARTS_FROM = {
    ("45min", "vae_semi_amortized"): ("vae_free_bits", "all"),
    ("converged", "vae_free_bits"): ("lm", "decoder"),
    ("converged", "lm_continued"): ("lm", "all"),
}
"""Rows that begin with the weights of another row, and with which of them."""


def folder_of(out: Path, table: str, budget: str, row: str) -> Path:
    return out / f"{table}_{budget}_{row}"


def train_row(table: str, row: str, budget: str, out: Path, settings: list[str]) -> None:
    """Run a row's recipe, or go on with it."""
    folder = folder_of(out, table, budget, row)
    results_file.note_start(folder)
    overlay = dict(BUDGETS[budget].get(row, {}))
    if (budget, row) in STARTS_FROM:
        source, parts = STARTS_FROM[budget, row]
        overlay["train.start_from"] = {"run": str(folder_of(out, table, budget, source)), "parts": parts}
    overlay |= {".".join(path): value for path, value in map(parse_assignment, settings)}
    textvae.run(f"pipelines/{table}_{row}.toml", settings=overlay, out=folder)


def collect(table: str, budget: str, row: str, out: Path) -> dict[str, Any] | None:
    """The row of a finished run; None when it is not finished."""
    folder = folder_of(out, table, budget, row)
    report = finished_report(folder)
    if report is None:
        return None
    found = row_of(report)
    settings = report["run"]["settings"]["train"]
    for point in json.loads((folder / "evaluate" / "details.json").read_text(encoding="utf-8")).get("curve", []):
        # The bound by its number of samples, from the same samples.
        if point["iw_samples"] < found["iw_samples"]:
            found[f"iw_nll_{point['iw_samples']}"] = point["iw_nll"]
    extra = {"recipe": found.pop("name"), "precision": settings.get("precision", "float32")}
    if (budget, row) in STARTS_FROM:
        extra["starts_from"] = STARTS_FROM[budget, row][0]
    return {"name": row, "budget": budget, **found, **extra, **results_file.noted_start(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=ROWS)
    parser.add_argument("--rows", nargs="+", help="all of the table when absent")
    parser.add_argument("--budget", choices=BUDGETS, default="45min")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--collect", action="store_true", help="run nothing")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting, for trying the command")
    args = parser.parse_args()
    rows = args.rows or [row for row in ROWS[args.table] if row not in CONTROLS or row in BUDGETS[args.budget]]
    for row in rows:
        if row not in ROWS[args.table]:
            parser.error(f"there is no row {row}; expected some of {', '.join(ROWS[args.table])}")
    for row in rows:
        if not args.collect:
            train_row(args.table, row, args.budget, args.out, args.settings)
        write(args.table, args.budget, [row], args.out)
    pages.write_all()


def write(table: str, budget: str, rows: list[str], out: Path) -> None:
    """Put the finished ones of these rows into the results file."""
    path = results_file.RESULTS / f"{RESULTS[table]}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    fresh = [found for found in (collect(table, budget, row, out) for row in rows) if found is not None]
    if not fresh:
        return
    new = {(one["budget"], one["name"], one["seed"]) for one in fresh}
    kept = [old for old in kept if (old["budget"], old["name"], old["seed"]) not in new]
    order = {row: position for position, row in enumerate(ROWS[table])}
    results_file.write(
        RESULTS[table], sorted([*kept, *fresh], key=lambda one: (one["budget"], order[one["name"]], one["seed"]))
    )


if __name__ == "__main__":
    main()
