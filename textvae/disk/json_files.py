"""JSON files of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textvae.disk.writing import write_text


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all; numbers that are none (NaN, infinities) are refused as a ValueError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or none of ours: nested too deeply.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
