"""JSON files of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textvae.disk.regular import problem_of_file
from textvae.disk.writing import write_text
from textvae.parsing import is_deep


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all; numbers that are none (NaN, infinities) are refused as a ValueError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file of ours holds; files from before may hold NaN, which is read as it stands.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, no JSON, or nested too deeply to be ours.
    """
    path.stat()  # what is not there is an OSError
    problem = problem_of_file(path)
    if problem is not None:
        raise ValueError(f"{path} {problem}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        value = None
    if value is None or is_deep(value):
        raise ValueError(f"{path} is nested too deeply, or holds nothing")
    return value
