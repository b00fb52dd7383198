"""The tables of `docs/units.md`: definition and unit of each number of a report, from the registry of stages."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import table
from textvae.pipeline.metric import Metric
from textvae.pipeline.stages import STAGES


def numbers_block(contents: dict[str, dict[str, Any]]) -> str:
    """A table for each stage that returns numbers."""
    lines = []
    for stage in STAGES:
        if stage.metrics:
            rows = [_cells(metric) for metric in stage.metrics]
            lines += ["", f"### `{stage.name}`", "", *table(["name", "what it is", "unit"], rows)]
    return "\n".join([*lines, ""])


def _cells(metric: Metric) -> list[str]:
    # A title that begins with dots continues the title of the row above it.
    plain = metric.meaning if metric.title.startswith("...") else f"{metric.title}: {metric.meaning}"
    cells = [f"`{metric.name}`", metric.definition or plain, metric.unit]
    return [cell.replace("#", "N").replace("|", "\\|") for cell in cells]
