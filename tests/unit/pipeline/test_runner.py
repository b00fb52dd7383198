"""What runs, why, and what survives: watched on stages that take no time."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.pipeline.fakes import EPOCH_SECONDS, corpus, reasons, recipe, run_fakes
from textvae.disk import held
from textvae.errors import ConfigError
from textvae.pipeline.manifest import Manifest
from textvae.pipeline.report import build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus(tmp_path)
    return tmp_path


def model(folder: Path) -> str:
    return (folder / "out" / "train" / "model.txt").read_text()


def test_a_second_run_does_nothing_and_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_fakes(folder) == ["tokenize", "train", "evaluate"]
    report = (folder / "out" / "report.json").stat().st_mtime_ns
    assert run_fakes(folder) == []
    assert "nothing to do" in capsys.readouterr().err
    assert (folder / "out" / "report.json").stat().st_mtime_ns == report


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"evaluate.split": "valid"}, ["evaluate"]),
        ({"train.epochs": 5}, ["train", "evaluate"]),
        ({"tokenize.max_tokens": 4}, ["tokenize", "train", "evaluate"]),
        ({"corpus.limit.train": 9}, ["tokenize", "train", "evaluate"]),
        ({"seed": 1}, ["train", "evaluate"]),
        ({"train.shown": 2}, []),
        ({"train.epochs": 3}, []),
    ],
)
def test_a_changed_setting_reruns_its_stage_and_what_depends_on_it(
    folder: Path, setting: dict[str, object], expected: list[str]
) -> None:
    run_fakes(folder)
    assert run_fakes(folder, setting) == expected


def test_a_dry_run_says_why_and_does_nothing(folder: Path) -> None:
    assert set(reasons(folder).values()) == {"because its output is missing"}
    assert not (folder / "out").exists()
    run_fakes(folder)
    assert set(reasons(folder).values()) == {"up to date"}
    assert reasons(folder, {"train.epochs": 5}) == {
        "tokenize": "up to date",
        "train": "because `train.epochs` 3 -> 5",
        "evaluate": "because train will run",
    }
    assert reasons(folder, {"corpus.limit.train": 9})["tokenize"] == "because `corpus.limit.train` absent -> 9"
    assert reasons(folder, {"seed": 7})["train"] == "because `seed` 0 -> 7"
    assert reasons(folder, force=True)["evaluate"] == "because of --force"


def test_a_changed_corpus_is_noticed(folder: Path) -> None:
    run_fakes(folder)
    with (folder / "lines.txt").open("a") as file:
        file.write("one more\n")
    assert reasons(folder)["tokenize"] == "because the corpus has changed"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "model.txt is missing"),
        (lambda path: path.write_text("x"), "model.txt has 1 bytes, expected"),
        (lambda path: path.write_bytes(b"X" + path.read_bytes()[1:]), "model.txt has been changed"),
    ],
)
def test_damage_is_noticed_and_mended(folder: Path, harm, said: str) -> None:  # type: ignore[no-untyped-def]
    run_fakes(folder)
    before = model(folder)
    harm(folder / "out" / "train" / "model.txt")
    assert said in reasons(folder)["train"]
    # The output comes out the same again, so nothing after it has to run.
    assert run_fakes(folder) == ["train"]
    assert model(folder) == before


def test_a_truncated_manifest_is_not_trusted(folder: Path) -> None:
    run_fakes(folder)
    manifest = folder / "out" / "evaluate" / "manifest.json"
    manifest.write_text(manifest.read_text()[:50])
    assert reasons(folder)["evaluate"] == "because its output is damaged: no manifest"
    assert run_fakes(folder) == ["evaluate"]


def test_only_runs_a_stage_and_what_it_needs(folder: Path) -> None:
    assert run_fakes(folder, only="train") == ["tokenize", "train"]
    assert not (folder / "out" / "evaluate").exists()
    assert run_fakes(folder, only="train", force=True) == ["train"]
    assert run_fakes(folder, force=True) == ["tokenize", "train", "evaluate"]
    with pytest.raises(ConfigError, match="--only got 'trian'"):
        run_fakes(folder, only="trian")


@pytest.mark.parametrize("moment", ["tokenize", "train 2", "evaluate"])
def test_a_killed_run_leaves_nothing_half_done_and_loses_nothing_finished(folder: Path, moment: str) -> None:
    """SIGKILL between any two steps, at the first run and when an older output is being replaced."""
    command = [sys.executable, "-m", "tests.unit.pipeline.fakes", str(folder)]
    killed = subprocess.run(command, env={**os.environ, "DIE_AT": moment}, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    stage = moment.split()[0]
    assert not (folder / "out" / stage).exists()
    assert (folder / "out" / f"{stage}.partial").exists()
    if moment == "train 2":
        assert "resumes from its last checkpoint" in reasons(folder)["train"]
    ran = run_fakes(folder)
    assert ran == ["tokenize", "train", "evaluate"][["tokenize", "train", "evaluate"].index(stage) :]
    results = json.loads((folder / "out" / "train" / "results.json").read_text())
    assert results["resumed_from"] == (2 if moment == "train 2" else 0)
    assert not list((folder / "out").glob("*.partial"))
    manifest = json.loads((folder / "out" / "train" / "manifest.json").read_text())
    assert manifest["seconds"] == 3 * EPOCH_SECONDS, "the time before the SIGKILL counts"


def test_the_report_tells_one_time_of_a_stage(folder: Path) -> None:
    """Also of a run whose manifest forgot the sittings before the last one."""
    manifest = Manifest("train", "", 1, "", {}, {}, {}, {}, 0, seconds=3626.0, results={"seconds": 6152.3})
    told = build._run(recipe(folder), {"train": manifest, "tokenize": replace(manifest, results={})})
    assert told["stage_seconds"] == {"train": 6152.3, "tokenize": 3626.0} and told["seconds"] == 9778.3


def test_an_old_output_stays_until_the_new_one_is_ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_fakes(folder)
    before = model(folder)
    monkeypatch.setenv("FAIL_AT", "train 2")
    with pytest.raises(KeyboardInterrupt):
        run_fakes(folder, {"train.epochs": 5})
    assert model(folder) == before
    monkeypatch.delenv("FAIL_AT")
    # Back to the old setting: what was finished is still good.
    assert run_fakes(folder) == []
    # An interrupted training of other settings is not gone on with.
    run_fakes(folder, {"train.epochs": 4})
    assert json.loads((folder / "out" / "train" / "results.json").read_text())["resumed_from"] == 0


@pytest.mark.parametrize("halfway", ["before the renames", "between the renames", "after the renames"])
def test_a_crash_in_the_middle_of_replacing_is_mended(folder: Path, halfway: str) -> None:
    run_fakes(folder)
    out = folder / "out"
    if halfway == "before the renames":
        (out / "train").rename(out / "train.partial")
    elif halfway == "between the renames":
        (out / "train").rename(out / "train.old")
    else:
        shutil.copytree(out / "train", out / "train.old")
    assert run_fakes(folder) == []
    # What an earlier version left beside a whole output is cleared away when something runs, not before.
    run_fakes(folder, force=True)
    assert sorted(path.name for path in out.glob("train*")) == ["train"]


def test_a_second_run_of_the_same_folder_is_refused(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.pipeline.fakes", str(folder)]
    (folder / "out").mkdir()
    with held(folder / "out"):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "another process is running in" in refused.stderr
    assert run_fakes(folder) == ["tokenize", "train", "evaluate"]


def test_a_needed_table_that_is_missing_is_named(folder: Path) -> None:
    from tests.unit.pipeline.fakes import FAKES, report
    from textvae.pipeline.reading import read_recipe
    from textvae.pipeline.runner import run_recipe

    tables = {"name": "fake", "corpus": str(folder / "mine.toml"), "tokenize": {}, "evaluate": {}}
    with pytest.raises(ConfigError, match=r"\[evaluate\] needs \[train\]"):
        run_recipe(read_recipe(tables), folder / "out", stages=FAKES, report=report)


def test_a_finished_run_asks_for_no_lock_and_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is up to date on a read-only disk too, and beside a process that holds it."""
    run_fakes(folder)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("claim_run", "write_own", "recover"):
        monkeypatch.setattr(f"textvae.pipeline.runner.{name}", refuse)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    with held(folder / "out"):
        assert run_fakes(folder) == []
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before
    with pytest.raises(OSError, match="Read-only"):
        run_fakes(folder, {"train.epochs": 4})
