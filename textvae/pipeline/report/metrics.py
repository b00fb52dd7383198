"""The rows of the report's table of numbers."""

from __future__ import annotations

from typing import Any

from textvae.pipeline.stages import STAGES


def metric_rows(report: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the numbers that the report has: first the findings of all stages, then their costs.

    Args:
        report: as in report.json.

    Returns:
        for each row `key` (``stage.name``), `title`, `value`, `unit` and `meaning`.
    """
    return [
        row
        for cost in (False, True)
        for stage in STAGES
        for metric in stage.metrics
        if metric.cost == cost
        for row in metric.rows(stage.name, report.get(stage.name, {}))
    ]
