"""The user's folder on which kills, interrupts and full disks are tried, and the results of an uninterrupted run."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.process import Ended, Process
from benchmarks.faults.verdict import complaints, differences, results_of, snapshot
from tests.tiny_corpus import SETTINGS, write_tiny
from textvae.pipeline import stages

RECIPE: dict[str, Any] = {
    **SETTINGS,
    "train": {**SETTINGS["train"], "checkpoint_minutes": 1e-6},
    "impute": {**SETTINGS["impute"], "texts": ["the ___ is good"]},
}
STAGES = tuple(stage.name for stage in stages.STAGES if stage.name in RECIPE)
"""The names of its stages, in the order in which they run."""
SENTENCES = 300
OLDER = ("--set", "seed=1", "--set", "tokenize.max_tokens=9")
"""Settings of an older run in the same folder, all of whose stages a run anew replaces."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.symlink", "os.chmod"}


@dataclass(frozen=True)
class World:
    """What is known of an uninterrupted run.

    Attributes:
        folder: that holds `user` (a corpus, a card, a recipe, bystanders) and `older` (the same with an older run).
        results: of an uninterrupted run, by file.
        stage_seconds: how long each stage took.
        seconds: how long all took.
        operations: how many changes it makes to files.
    """

    folder: Path
    results: dict[str, str]
    stage_seconds: dict[str, float]
    seconds: float
    operations: int


def write_user(folder: Path) -> None:
    """A corpus, a card, a recipe, and files that are none of textvae's business: some of them in the run folder."""
    folder.mkdir(parents=True)
    write_tiny(folder, RECIPE, SENTENCES)
    for name in ("letter.txt", "run/notes.txt", "run/mine/letter.txt", "mine/train/model.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}: of somebody.\n")


def users_files(work: Path) -> dict[str, str]:
    """The content of the files that `write_user` wrote."""
    there = snapshot(work)
    return {name: there[name] for name in there if not name.startswith("run/") or name.startswith(_IN_RUN)}


_IN_RUN = ("run/notes.txt", "run/mine")


def run_line(*more: str) -> list[str]:
    return ["run", "tiny.toml", "--out", "run", *more]


class Operations:
    """Counts the changes a process makes to files, and does something at one of them.

    Args:
        at: which; None only counts.
        act: what.
        report: where to write at the end how many there were.
    """

    def __init__(self, at: int | None, act: Callable[[], None] | None = None) -> None:
        self.at, self.act, self.count = at, act, 0

    def install(self) -> None:
        sys.addaudithook(self._hook)
        flush = os.fsync

        def counted(descriptor: Any) -> None:
            self._step()
            flush(descriptor)

        os.fsync = counted

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            self._step()

    def _step(self) -> None:
        self.count += 1
        if self.count == self.at and self.act is not None:
            self.act()


def load_world(folder: Path) -> World:
    """The world in a folder, made there if it is not: one run counted, and a second one that has to equal it.

    Raises:
        RuntimeError: an uninterrupted run fails, or two of them differ, so that nothing can be compared.
    """
    known = folder / "known.json"
    if known.exists():
        record = json.loads(known.read_text(encoding="utf-8"))
        return World(folder, **record)
    shutil.rmtree(folder, ignore_errors=True)
    write_user(folder / "user")
    first, second, older = (folder / name for name in ("first", "second", "older"))
    counts = folder / "first" / "tmp" / "operations"
    ended, stage_seconds = _whole(folder / "user", first, (), counts)
    again, _ = _whole(folder / "user", second, ())
    _whole(folder / "user", older, OLDER)
    results = results_of(first / "work" / "run")
    differ = differences(results, results_of(second / "work" / "run"))
    if differ or len(results) < 2 + 4 + len(STAGES):
        raise RuntimeError(f"two uninterrupted runs of the same recipe differ, or say too little: {differ}")
    world = World(folder, results, stage_seconds, min(ended.seconds, again.seconds), int(counts.read_text()))
    record = asdict(world)
    del record["folder"]
    known.write_text(json.dumps(record), encoding="utf-8")
    return world


def _whole(
    user: Path, folder: Path, more: tuple[str, ...], counts: Path | None = None
) -> tuple[Ended, dict[str, float]]:
    folder.mkdir()
    shutil.copytree(user, folder / "work")
    operations = Operations(None)

    def prepare() -> None:
        import atexit  # noqa: F401

        from textvae import cli

        operations.install()
        leave = cli.main

        def main(arguments: Any = None) -> None:
            try:
                leave(arguments)
            finally:
                if counts is not None:
                    counts.write_text(str(operations.count))

        cli.main = main

    process = Process(run_line(*more), folder, prepare=prepare)
    seen: dict[str, float] = {}
    for stage in STAGES:
        if process.said_within(f"{stage}: running".encode(), 60):
            seen[stage] = time.monotonic()
    ended = process.finish(600)
    found = complaints(ended, {0})
    if found:
        raise RuntimeError(f"an uninterrupted run fails: {found}; {ended.err.decode(errors='replace')[-2000:]}")
    moments = [*seen.values(), process.began + ended.seconds]
    return ended, {stage: after - moments[i] for i, (stage, after) in enumerate(zip(seen, moments[1:], strict=True))}


def finished_stages(err: bytes) -> set[str]:
    """The stages that a run said it had finished."""
    return set(re.findall(r"^(\w+): finished in", err.decode("utf-8", "replace"), re.MULTILINE))


def rerun_stages(err: bytes) -> set[str]:
    """The stages that a run began."""
    return set(re.findall(r"^(\w+): running", err.decode("utf-8", "replace"), re.MULTILINE))
