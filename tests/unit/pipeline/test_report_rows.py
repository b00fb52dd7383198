"""The rows of the report's table, which the command prints too."""

from __future__ import annotations

from textvae.pipeline.report.metrics import metric_rows


def values(**measured: float) -> dict[str, str]:
    return {row["key"].removeprefix("evaluate."): row["value"] for row in metric_rows({"evaluate": measured})}


def test_bounds_from_both_sides_are_shown_with_their_gap() -> None:
    measured = {"simulated_nll_upper": 40.25, "simulated_nll_upper_se": 1.5, "simulated_nll_lower": 39.5}
    assert values(**measured, simulated_gap=0.75) == {
        "simulated_nll_upper": "40.25 ± 1.50",
        "simulated_nll_lower": "39.50",
        "simulated_gap": "0.75",
    }
