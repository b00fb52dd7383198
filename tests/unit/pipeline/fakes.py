"""A pipeline of three small stages over a file of text: what runs, when and why can be watched without a model."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from textvae.config import Config
from textvae.disk import read_json, write_json
from textvae.models import TextVAEConfig
from textvae.pipeline.ownership import write_own
from textvae.pipeline.plan import Step
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.runner import run_recipe
from textvae.pipeline.sources import source_model
from textvae.pipeline.stage import Stage, Work

EPOCH_SECONDS = 1000.0


class CutConfig(Config):
    max_tokens: int = 5


class FitConfig(Config):
    watched_only: ClassVar[frozenset[str]] = frozenset({"shown"})
    model: TextVAEConfig = TextVAEConfig()
    epochs: int = 3
    shown: int = 1
    start_from: str | None = None


class TestConfig(Config):
    __test__ = False
    split: str = "test"


class Cut(Stage):
    name: ClassVar[str] = "tokenize"
    reads_corpus: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = False

    def files(self) -> tuple[str, ...]:
        return ("words.txt",)

    def config_type(self) -> Any:
        return CutConfig

    def run(self, work: Work) -> dict[str, Any]:
        (work.folder / "words.txt").write_text(f"cut at {work.config.max_tokens}\n")
        die_if_asked("tokenize")
        return {"max_tokens": work.config.max_tokens}


class Fit(Stage):
    name: ClassVar[str] = "train"
    needs: ClassVar[tuple[str, ...]] = ("tokenize",)
    resumes: ClassVar[bool] = True
    gives_model: ClassVar[bool] = True

    def files(self) -> tuple[str, ...]:
        return ("checkpoint.json", "start.txt", "model.txt", "model/**")

    def config_type(self) -> Any:
        return FitConfig

    def starts_from(self, config: Mapping[str, Any]) -> str | None:
        return config["start_from"]

    def run(self, work: Work) -> dict[str, Any]:
        checkpoint = work.folder / "checkpoint.json"
        done = read_json(checkpoint)["done"] if checkpoint.exists() else 0
        resumed = done
        start = work.config.start_from
        if start is not None and not done:
            (work.folder / "start.txt").write_text(
                (source_model(start, work.folder.parent.parent) / "weights.txt").read_text()
            )
        while done < work.config.epochs:
            done += 1
            write_json(checkpoint, {"done": done})
            die_if_asked(f"train {done}")
        source = (work.inputs["tokenize"] / "words.txt").read_text()
        (work.folder / "model.txt").write_text(f"{source}{done} epochs, seed {work.seed}\n")
        (work.folder / "model").mkdir(exist_ok=True)
        (work.folder / "model" / "config.json").write_text("{}")
        (work.folder / "model" / "weights.txt").write_text(f"{done} epochs\n")
        return {"epochs": done, "resumed_from": resumed, "seconds": done * EPOCH_SECONDS}


class Measure(Stage):
    name: ClassVar[str] = "evaluate"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")

    def files(self) -> tuple[str, ...]:
        return ("numbers.txt",)

    def config_type(self) -> Any:
        return TestConfig

    def run(self, work: Work) -> dict[str, Any]:
        (work.folder / "numbers.txt").write_text((work.inputs["train"] / "model.txt").read_text())
        die_if_asked("evaluate")
        return {"kl": 4.0}


FAKES = (Cut(), Fit(), Measure())


def die_if_asked(moment: str) -> None:
    if os.environ.get("DIE_AT") == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("FAIL_AT") == moment:
        raise KeyboardInterrupt


def corpus(folder: Path) -> None:
    (folder / "lines.txt").write_text("".join(f"line {i} of it\n" for i in range(60)))
    (folder / "mine.toml").write_text(
        'kind = "lines"\nfiles = { train = "lines.txt" }\nsplit_fractions = { train = 0.8, valid = 0.1, test = 0.1 }\n'
    )


def recipe(folder: Path, settings: dict[str, Any] | None = None) -> Recipe:
    tables = {"name": "fake", "corpus": str(folder / "mine.toml"), "tokenize": {}, "train": {}, "evaluate": {}}
    return read_recipe(tables, settings or {})


def report(recipe: Recipe, out: Path) -> dict[str, Any]:
    prints = {stage.name: read_json(out / stage.name / "manifest.json")["fingerprint"] for stage in FAKES
              if (out / stage.name / "manifest.json").exists()}  # fmt: skip
    write_own(out / "report.json", json.dumps({"run": {"fingerprints": prints}}))
    write_own(out / "report.html", "<title>fake · textvae</title>")
    return {}


def run_fakes(
    folder: Path, settings: dict[str, Any] | None = None, out: Path | None = None, **options: Any
) -> list[str]:
    """Run, and name the stages that ran."""
    place = folder / "out" if out is None else out
    steps = run_recipe(recipe(folder, settings), place, stages=FAKES, report=report, **options)
    return [step.stage.name for step in steps if step.runs]


def run_recipe_dry(folder: Path, settings: dict[str, Any] | None = None) -> list[Step]:
    """What would run, without a word."""
    return run_recipe(recipe(folder, settings), folder / "out", stages=FAKES, dry_run=True, say=lambda line: None)


def reasons(folder: Path, settings: dict[str, Any] | None = None, **options: Any) -> dict[str, str]:
    """What a dry run says of each stage."""
    steps = run_recipe(recipe(folder, settings), folder / "out", stages=FAKES, dry_run=True, **options)
    return {step.stage.name: step.reason for step in steps}


if __name__ == "__main__":
    run_fakes(Path(sys.argv[1]))
