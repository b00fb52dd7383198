"""The report of a run: `report.json` with all numbers, `report.html` for people."""

from __future__ import annotations

from textvae.pipeline.report.build import build_report

__all__ = ["build_report"]
