"""JSON files of ours."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

from textvae.disk.paths import problem_of_file
from textvae.disk.writing import write_text
from textvae.parsing import is_deep


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all; numbers that are none (NaN, infinities) are refused as a ValueError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file of ours holds; files from before may hold NaN, which is read as it stands.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, no JSON, or nested too deeply to be ours.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} {problem_of_file(path)}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        value = None
    if value is None or is_deep(value):
        raise ValueError(f"{path} is nested too deeply, or holds nothing")
    return value


def finite(value: Any) -> Any:
    """Plain JSON values without what is no number: absent from tables, None in lists.

    >>> finite({"a": float("nan"), "b": [1.0, float("inf")]})
    {'b': [1.0, None]}
    """
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items() if not no_number(one)}
    if isinstance(value, list):
        return [None if no_number(one) else finite(one) for one in value]
    return value


def no_number(value: object) -> bool:
    """Whether it is NaN or an infinity, which JSON does not have."""
    return isinstance(value, float) and not math.isfinite(value)
