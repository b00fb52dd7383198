"""Runs a pipeline of quick stages in child processes, each of which dies at another file operation, then to its end.

Arguments: a folder, and the stride: 1 for every operation. After every death the same command has to come to what an
uninterrupted run leaves, file for file and nothing besides, and no epoch that was kept may be trained again. Prints how
many deaths there were.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.theorems.killing import killed
from tests.unit.pipeline import fakes
from textvae.disk import LOCK, MARKER

OTHERS: dict[str, Any] = {"train.epochs": 5, "tokenize.max_tokens": 7, "evaluate.split": "valid"}


def finished(home: Path) -> None:
    fakes.run_fakes(home)


def interrupted(home: Path) -> None:
    os.environ["FAIL_AT"] = "train 2"
    try:
        fakes.run_fakes(home)
    except KeyboardInterrupt:
        pass
    finally:
        del os.environ["FAIL_AT"]


SCENARIOS: dict[str, tuple[Callable[[Path], None] | None, dict[str, Any], bool]] = {
    "a first run": (None, {}, False),
    "over a finished run": (finished, OTHERS, False),
    "over a finished run, by force": (finished, {}, True),
    "over an interrupted run": (interrupted, OTHERS, False),
}


def tree(out: Path) -> dict[str, str]:
    """Every file and folder of a run with what it holds, times and ids left out."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir():
            found[name] = "folder"
        elif path.name in (MARKER, LOCK):
            found[name] = "ours"
        else:
            found[name] = path.read_text()
            if path.suffix == ".json":
                found[name] = json.dumps(timeless(json.loads(found[name])))
    return found


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        # A manifest's checksum of results.json is one of times too.
        skip = ("seconds", "resumed_from", "results.json")
        return {name: timeless(inner) for name, inner in value.items() if name not in skip}
    return value


def epochs_kept(out: Path, settings: dict[str, Any]) -> int:
    """Epochs of this training that were kept when the process died; 0 where it was over and its manifest written."""
    if (out / "train.partial" / "manifest.json").exists():
        return 0
    try:
        begun = json.loads((out / "train.partial" / "begun.json").read_text())["fingerprint"]
        done = json.loads((out / "train.partial" / "checkpoint.json").read_text())["done"]
    except (OSError, ValueError):
        return 0
    steps = {step.stage.name: step for step in fakes.run_recipe_dry(out.parent, settings)}
    return done if steps["train"].draft.fingerprint == begun else 0


def main(home: Path, stride: int) -> None:
    deaths = 0
    for name, (before, settings, force) in SCENARIOS.items():
        base, here = home / "base", home / "here"
        for folder in (base, here):
            shutil.rmtree(folder, ignore_errors=True)
        here.mkdir(parents=True)
        fakes.corpus(here)
        if before is not None:
            before(here)
        shutil.copytree(here, base)
        fakes.run_fakes(here, settings, force=force)
        whole = tree(here / "out")
        last = 1
        while True:
            shutil.rmtree(here)
            shutil.copytree(base, here)
            if not killed(lambda: fakes.run_fakes(here, settings, force=force), here / "out", last):  # noqa: B023
                break
            deaths += 1
            kept = epochs_kept(here / "out", settings)
            fakes.run_fakes(here, settings)
            again = tree(here / "out")
            different = {path for path in {*whole, *again} if whole.get(path) != again.get(path)}
            assert not different, (name, last, different)
            resumed = json.loads((here / "out" / "train" / "results.json").read_text())["resumed_from"]
            assert force or resumed >= kept, (name, last, resumed, kept)
            last += stride
        assert last > 20, name
    print(deaths)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
