"""The rows of the report's table of numbers."""

from __future__ import annotations

from typing import Any

from textvae.pipeline.stages import STAGES


def metric_rows(report: dict[str, Any], costs: bool | None = None) -> list[dict[str, str]]:
    """The rows of the numbers that the report has: first the findings of all stages, then their costs.

    Args:
        report: as in report.json.
        costs: whether only costs or only findings are wanted; None for both.

    Returns:
        for each row `key` (``stage.name``), `title`, `value`, `unit` and `meaning`.
    """
    return [
        row
        for cost in ((False, True) if costs is None else (costs,))
        for stage in STAGES
        for metric in stage.metrics
        if metric.cost == cost
        for row in metric.rows(stage.name, report.get(stage.name, {}))
    ]


def metric_groups(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The same rows in groups with a `title`: one for the findings of each stage, that of the model first, then costs.

    Args:
        report: as in report.json.
    """
    groups = []
    for stage in sorted(STAGES, key=lambda stage: stage.name != "evaluate"):
        rows = [row for row in metric_rows(report, costs=False) if row["key"].startswith(f"{stage.name}.")]
        groups.append({"title": stage.title or stage.name, "rows": rows})
    groups.append({"title": "Time and memory", "rows": metric_rows(report, costs=True)})
    return [group for group in groups if group["rows"]]
