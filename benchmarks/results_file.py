"""The format of all files in `benchmarks/results/`: command, commit, date, hardware, torch version, and flat rows."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
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
    code = ["textvae", "pipelines", "benchmarks/*.py"]
    status = subprocess.run(["git", "status", "--porcelain", *code], cwd=folder.parent, capture_output=True, text=True)
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def note_start(run: Path, tables: dict[str, Any]) -> None:
    """Write beside a run at which commit it was first started with these settings.

    Args:
        run: its folder.
        tables: the recipe with what is laid over it: where they change, the run begins anew and so does the note.
    """
    note, digest = _note(run), _digest(tables)
    if noted_start(run).get("settings", "") not in ("", digest) or not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"commit": commit(), "settings": digest}) + "\n", encoding="utf-8")


def note_evaluation(run: Path, tables: dict[str, Any]) -> None:
    """Write beside a run at which commit it was evaluated anew, where that is not the one it was started at.

    Args:
        run: its folder.
        tables: as in `note_start`; of the settings now, whose training is the run's.
    """
    note = noted_start(run) | {"settings": _digest(tables), "evaluated": commit()}
    _note(run).write_text(json.dumps(note) + "\n", encoding="utf-8")


def noted_start(run: Path) -> dict[str, str]:
    """`commit`, `settings` (a digest) and `evaluated` (a later commit), where they were noted."""
    note = _note(run)
    return json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}


def _note(run: Path) -> Path:
    return run.with_name(f"{run.name}.started.json")


def _digest(tables: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_placeless(tables), sort_keys=True).encode()).hexdigest()[:12]


def _placeless(tables: dict[str, Any]) -> dict[str, Any]:
    """Without the description, and without where the corpus and the run it starts from lie."""
    found: dict[str, Any] = json.loads(json.dumps(tables, default=str))
    if isinstance(found.get("corpus"), dict):
        found["corpus"].pop("root", None)
    found.get("train", {}).get("start_from", {}).pop("run", None)
    return {name: value for name, value in found.items() if name != "description"}


def same_settings(run: Path, tables: dict[str, Any], but: Sequence[str] = ()) -> bool:
    """Whether a run was made by these tables, `but` for some; where its corpus and the run it starts from lie does not
    matter."""
    made = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    ours, theirs = (
        {name: value for name, value in _placeless(one).items() if name not in but} for one in (made, tables)
    )
    return ours == theirs


def add(name: str, fresh: list[dict[str, Any]], key: Callable[[dict[str, Any]], tuple[Any, ...]], command: str) -> None:
    """Put rows into `benchmarks/results/NAME.json`, in place of those with the same key, in the order of keys.

    Args:
        name: of the file.
        fresh: new rows; with none nothing is written.
        key: by which rows are told apart and sorted.
        command: that makes the whole file.
    """
    if not fresh:
        return
    path = RESULTS / f"{name}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    new = {key(row) for row in fresh}
    write(name, sorted([*(row for row in kept if key(row) not in new), *fresh], key=key), command=command)


def write(name: str, rows: list[dict[str, Any]], device: str = "cpu", command: str = "") -> Path:
    """Write `benchmarks/results/NAME.json`.

    Args:
        name: of the file.
        rows: all of them.
        device: the rows were made on, where they do not say it themselves.
        command: that makes the file; the one that is running when empty.
    """
    running = sys.modules["__main__"].__spec__.name if sys.modules["__main__"].__spec__ else sys.argv[0]
    content = {
        "command": command or shlex.join(["python", "-m", running, *sys.argv[1:]]),
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
