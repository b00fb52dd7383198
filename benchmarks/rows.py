"""Rows of results files: the run of a row, and the numbers that the row takes from that run's report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import textvae
from benchmarks import results_file
from textvae.pipeline.reading import read_recipe

TAKEN = {
    "tokenize": ("vocab_size",),
    "train": (
        *("train_tokens", "train_seconds", "train_cpu_seconds", "tokens_per_second", "peak_memory_mb"),
        *("epochs", "best_epoch", "stopped_early", "valid_elbo_nll"),
    ),
    "evaluate": (
        *("iw_nll", "iw_nll_se", "iw_samples", "elbo_nll", "elbo_nll_se", "kl", "mi", "mi_se", "mi_cap"),
        *("mi_sentences", "mi_1000", "mi_1000_se", "active_units", "latent_dim"),
        *("ppl", "tokens", "sentences", "split", "params", "rec_nll", "permuted_rise", "collapsed"),
        *("token_accuracy", "teacher_forced_accuracy", "exact_match", "bleu"),
    ),
    "classify": ("accuracy", "accuracy_se", "majority_accuracy", "labels"),
    "impute": ("accuracy", "top5", "baseline_accuracy", "sentences"),
    "interpolate": ("evenness", "ends_changed", "new_sentences"),
}
"""Numbers of each stage that become a row; those of evaluate keep their names, the others bear their stage's."""


@dataclass(frozen=True)
class RowRun:
    """The run behind a row.

    Attributes:
        recipe: its file.
        overlay: settings laid over the recipe.
        folder: of the run.
        command: that trains and evaluates it, wherever runs are kept.
        starts_from: the row whose weights it begins with, if any.
    """

    recipe: str
    overlay: dict[str, Any]
    folder: Path
    command: str
    starts_from: str = ""

    def tables(self) -> dict[str, Any]:
        """The recipe with what is laid over it."""
        return read_recipe(self.recipe, self.overlay).as_tables()

    def train(self) -> None:
        """Run the recipe, or go on with it."""
        results_file.note_start(self.folder, self.tables())
        textvae.run(self.recipe, settings=self.overlay, out=self.folder)

    def evaluate(self) -> None:
        """Evaluate the trained run anew, by the code and the settings of now.

        Raises:
            SystemExit: another training than this row's.
        """
        if not results_file.same_settings(self.folder, self.tables(), but=("evaluate",)):
            raise SystemExit(
                f"{self.folder} was trained with other settings than {self.recipe} has now; remove it and train again."
            )
        textvae.run(self.recipe, settings=self.overlay, out=self.folder, only="evaluate", force=True)
        results_file.note_evaluation(self.folder, self.tables())

    def collect(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The row of the finished run, without a name, and the run's report; None when it is not finished.

        Raises:
            SystemExit: the run was made by other settings than this row has.
        """
        report = finished_report(self.folder)
        if report is None:
            return None
        if not results_file.same_settings(self.folder, self.tables()):
            raise SystemExit(
                f"{self.folder} was made with other settings than {self.recipe} has now; remove it and train again."
            )
        row = row_of(report)
        row["recipe"] = row.pop("name")
        if self.starts_from:
            row["starts_from"] = self.starts_from
        noted = results_file.noted_start(self.folder)
        row["commit"] = noted.get("commit", "unknown")
        if "evaluated" in noted:
            row["evaluated_at"] = noted["evaluated"]
        return row | {"command": self.command}, report


def probed_with(row: dict[str, Any]) -> list[int]:
    """The numbers of labels that a row has probes of."""
    numbers = (key.removeprefix("probe_accuracy_") for key in row if key.startswith("probe_accuracy_"))
    return sorted(int(number) for number in numbers if number.isdigit())


def finished_report(run: Path) -> dict[str, Any] | None:
    """The report of a run that was evaluated; None when it is not finished."""
    if not (run / "report.json").exists():
        return None
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return report if "evaluate" in report else None


def row_of(report: dict[str, Any]) -> dict[str, Any]:
    """What a report says of its run, flat."""
    run = report["run"]
    row: dict[str, Any] = {"name": run["recipe"], "seed": run["seed"], "seconds": run["seconds"]}
    for stage, names in TAKEN.items():
        for name in names:
            if name in report.get(stage, {}):
                key = name if stage in ("evaluate", "train") else f"{stage}_{name}"
                row[key] = report[stage][name]
    row |= {name: value for name, value in report.get("evaluate", {}).items() if name.startswith("probe_accuracy")}
    # The training's own count includes the time before a resumption.
    stages = run["stage_seconds"] | {"train": report["train"].get("seconds", run["stage_seconds"]["train"])}
    row["seconds"] = round(sum(stages.values()), 1)
    row["finished"] = run["date"]
    row["made_on"] = run["hardware"]
    return row
