"""Reading and writing our own JSON files."""

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
    """Write a JSON file atomically; raises a ValueError for NaN and infinities, which JSON does not have."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file of ours. NaN, which older versions wrote, is accepted.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a regular file, not JSON, or nested too deeply to be ours.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} {problem_of_file(path)}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        value = None
    if value is None or is_deep(value):
        raise ValueError(f"{path} is nested too deeply, or is null")
    return value


def finite(value: Any) -> Any:
    """The value without NaN and infinities: dropped from dicts, replaced by None in lists.

    >>> finite({"a": float("nan"), "b": [1.0, float("inf")]})
    {'b': [1.0, None]}
    """
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items() if not no_number(one)}
    if isinstance(value, list):
        return [None if no_number(one) else finite(one) for one in value]
    return value


def no_number(value: object) -> bool:
    """Whether a value is NaN or an infinity, which JSON does not have."""
    return isinstance(value, float) and not math.isfinite(value)
