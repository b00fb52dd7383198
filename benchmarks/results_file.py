"""One form for every file in `benchmarks/results/`: how it was made, on what, and flat rows."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).resolve().parent / "results"


def hardware(device: str = "cpu") -> str:
    """The processor or the accelerator, in words."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores of {model}, {torch.get_num_threads()} threads"


def commit(before: str | None = None) -> str:
    """The commit the numbers were made at, marked when the work tree differed from it.

    Args:
        before: an ISO date; then the commit that was current at that time.
    """
    folder = Path(__file__).resolve().parent
    command = ["git", "log", "-1", "--format=%h", *([f"--before={before}"] if before else [])]
    head = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if head.returncode or not head.stdout.strip():
        return "unknown"
    if before:
        return head.stdout.strip()
    status = subprocess.run(["git", "status", "--porcelain", "textvae"], cwd=folder, capture_output=True, text=True)
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def note_start(run: Path) -> None:
    """Write beside a run, when it is first started, at which commit that was."""
    note = _note(run)
    if not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"commit": commit()}) + "\n", encoding="utf-8")


def noted_start(run: Path) -> dict[str, str]:
    """`commit`, where it was noted."""
    note = _note(run)
    return json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}


def _note(run: Path) -> Path:
    return run.with_name(f"{run.name}.started.json")


def write(name: str, rows: list[dict[str, Any]], device: str = "cpu") -> Path:
    """Write `benchmarks/results/NAME.json`."""
    command = "python -m " + (
        sys.modules["__main__"].__spec__.name if sys.modules["__main__"].__spec__ else sys.argv[0]
    )
    content = {
        "command": shlex.join([*command.split(), *sys.argv[1:]]),
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(device),
        "torch": torch.__version__,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
