"""The report of a run: `report.json` with all numbers, and the page `report.html`."""

from __future__ import annotations

from textvae.pipeline.report.build import build_report

__all__ = ["build_report"]
