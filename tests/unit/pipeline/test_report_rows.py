"""The rows of the report's table, which the command prints too."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from textvae.pipeline.report.metrics import metric_rows
from textvae.pipeline.stages.train import TrainStage
from textvae.training import TrainResult


def values(**measured: float) -> dict[str, str]:
    return {row["key"].removeprefix("evaluate."): row["value"] for row in metric_rows({"evaluate": measured})}


def test_bounds_from_both_sides_are_shown_with_their_gap() -> None:
    measured = {"simulated_nll_upper": 40.25, "simulated_nll_upper_se": 1.5, "simulated_nll_lower": 39.5}
    assert values(**measured, simulated_gap=0.75) == {
        "simulated_nll_upper": "40.25 ± 1.50",
        "simulated_nll_lower": "39.50",
        "simulated_gap": "0.75",
    }


def test_both_accuracies_of_tokens_are_shown_and_told_apart() -> None:
    rows = metric_rows({"evaluate": {"token_accuracy": 0.25, "teacher_forced_accuracy": 0.5}})
    assert [(row["key"], row["value"]) for row in rows] == [
        ("evaluate.token_accuracy", "0.250"),
        ("evaluate.teacher_forced_accuracy", "0.500"),
    ]
    assert "alone" in rows[0]["meaning"] and "sentence so far" in rows[1]["meaning"]
    units = (Path(__file__).resolve().parents[3] / "docs" / "units.md").read_text(encoding="utf-8")
    for row in rows:
        assert f"`{row['key'].removeprefix('evaluate.')}`" in units


def test_every_number_that_a_training_can_have_is_told_of() -> None:
    told = {*(metric.name for metric in TrainStage.metrics), *TrainStage.unlisted, "seconds"}
    assert {field.name for field in fields(TrainResult)} == told
