"""A run that starts from another: found, refused where it is not there, and made again when the other one is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipeline.fakes import FAKES, corpus, recipe, report
from textvae.errors import ConfigError
from textvae.pipeline.runner import run_recipes

FIRST: dict[str, Any] = {"name": "first"}
SECOND: dict[str, Any] = {"name": "second", "train.start_from": "runs/first"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    corpus(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(folder: Path, *settings: dict[str, Any], out: str | None = None, **options: Any) -> list[list[str]]:
    """Which stages of each recipe a run had, or would have, to run."""
    plans = plan(folder, *settings, out=out, **options)
    return [[step.stage.name for step in steps if step.runs] for steps in plans]


def plan(folder: Path, *settings: dict[str, Any], out: str | None = None, **options: Any) -> Any:
    if not options.get("dry_run"):
        options["report"] = report
    recipes = [recipe(folder, more) for more in settings]
    return run_recipes(recipes, None if out is None else folder / out, stages=FAKES, **options)


def started_from(run: Path) -> str:
    return (run / "train" / "start.txt").read_text()


ALL = ["tokenize", "train", "evaluate"]


def test_a_source_that_is_not_there_is_refused_before_anything_runs(folder: Path) -> None:
    for options in ({"dry_run": True}, {}, {"only": "train"}):
        with pytest.raises(ConfigError, match=r"train.start_from: runs/first does not exist; name a finished run"):
            ran(folder, SECOND, **options)
    assert not (folder / "runs" / "second" / "tokenize").exists()
    assert ran(folder, SECOND, only="tokenize") == [["tokenize"]], "which does not need it"
    # Of several recipes the first does not train for hours before the second is looked at.
    with pytest.raises(ConfigError, match="elsewhere does not exist"):
        ran(folder, FIRST, {**SECOND, "train.start_from": "runs/elsewhere"})
    assert not (folder / "runs" / "first").exists()


@pytest.mark.parametrize("out", [None, "there"])
def test_a_source_is_found_beside_the_run_wherever_both_are(folder: Path, out: str | None) -> None:
    assert ran(folder, FIRST, SECOND, out=out, dry_run=True) == [ALL, ALL]
    assert not (folder / (out or "runs")).exists()
    ran(folder, {**FIRST, "train.epochs": 2})
    assert ran(folder, FIRST, SECOND, out=out) == [ALL if out else ALL[1:], ALL]
    # Not the one of two epochs that `runs` has, too.
    assert started_from(folder / (out or "runs") / "second") == "3 epochs\n"
    assert ran(folder, FIRST, SECOND, out=out) == [[], []]
    alone = f"{out}/second" if out else None
    assert ran(folder, SECOND, out=alone) == [[]], "the same folder, whether or not the other recipe is named"


def test_a_source_elsewhere_is_taken_as_it_stands(folder: Path) -> None:
    ran(folder, FIRST)
    ran(folder, {**SECOND, "train.start_from": "runs/first/train/model"}, out="there/second")
    assert started_from(folder / "there" / "second") == "3 epochs\n"
    ran(folder, SECOND, out="there/third")
    assert started_from(folder / "there" / "third") == "3 epochs\n", "for there is none beside it"


def test_a_retrained_source_makes_its_heirs_run_again(folder: Path) -> None:
    ran(folder, FIRST, SECOND)
    longer = {**FIRST, "train.epochs": 5}
    steps = plan(folder, longer, SECOND, dry_run=True)[1]
    assert {step.stage.name: step.reason for step in steps} == {
        "tokenize": "up to date",
        "train": "because the run it starts from has changed",
        "evaluate": "because train will run",
    }
    assert ran(folder, SECOND) == [[]], "nothing has changed yet"
    ran(folder, longer)
    assert ran(folder, SECOND, dry_run=True) == [["train", "evaluate"]]
    assert ran(folder, SECOND) == [["train", "evaluate"]]
    assert started_from(folder / "runs" / "second") == "5 epochs\n"


def test_a_model_without_a_manifest_is_known_by_its_files(folder: Path) -> None:
    ran(folder, FIRST)
    shutil.copytree(folder / "runs" / "first" / "train" / "model", folder / "mine")
    heir = {**SECOND, "train.start_from": str(folder / "mine")}
    assert ran(folder, heir) == [ALL] and ran(folder, heir) == [[]]
    (folder / "mine" / "weights.txt").write_text("others\n")
    assert ran(folder, heir) == [["train", "evaluate"]]


def test_who_is_finished_or_has_a_checkpoint_needs_its_source_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(folder, FIRST)
    monkeypatch.setenv("FAIL_AT", "train 2")
    with pytest.raises(KeyboardInterrupt):
        ran(folder, SECOND)
    monkeypatch.delenv("FAIL_AT")
    shutil.rmtree(folder / "runs" / "first")
    assert ran(folder, SECOND) == [["train", "evaluate"]]
    assert started_from(folder / "runs" / "second") == "3 epochs\n"
    assert ran(folder, SECOND) == [[]]
    for changed in ({"train.epochs": 9}, {"seed": 1}):
        with pytest.raises(ConfigError, match="start_from"):
            ran(folder, {**SECOND, **changed})
    with pytest.raises(ConfigError, match="start_from"):
        ran(folder, SECOND, force=True)
