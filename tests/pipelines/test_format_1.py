"""A run that version 0.1.0 wrote is read, reported and used by every command; see tests/fixtures/format_1."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from tests.contracts.test_commands import run
from textvae.commands import COMMANDS, NAMES
from textvae.disk import read_json
from textvae.models import SemiSupervisedTextVAE, TextVAE, load_model
from textvae.pipeline.manifest import damage, read_manifest
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.report import build_report

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "format_1"
STAGES = ("tokenize", "train", "evaluate", "classify", "impute", "interpolate")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the fixture: nothing may be written into the fixture itself."""
    folder = tmp_path_factory.mktemp("format_1") / "verses"
    shutil.copytree(FIXTURE, folder)
    return folder


def test_every_stage_and_both_models_are_read(kept: Path) -> None:
    for name in STAGES:
        manifest = read_manifest(kept / "run" / name)
        assert manifest is not None and damage(kept / "run" / name, manifest) is None
    assert isinstance(load_model(kept / "run" / "train" / "model"), TextVAE)
    assert isinstance(load_model(kept / "run" / "classify" / "model"), SemiSupervisedTextVAE)


def test_its_report_is_made_again_with_the_same_numbers(kept: Path) -> None:
    """But for the machine and the moment."""
    told: dict[str, Any] = read_json(kept / "run" / "report.json")
    made = build_report(read_recipe(kept / "verses.toml"), kept / "run")
    assert {name: made[name] for name in STAGES} == {name: told[name] for name in STAGES}
    assert made["run"]["fingerprints"] == told["run"]["fingerprints"]
    page = (kept / "run" / "report.html").read_text(encoding="utf-8")
    assert str(escape(told["evaluate"]["verdict"])) in page and "Blanks filled in" in page


@pytest.mark.parametrize("name", NAMES)
def test_every_command_uses_it(name: str, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(kept / "run", tmp_path / "another_run")
    places = {"RUN_2": str(tmp_path / "another_run")}
    places |= {"RUN": str(kept / "run"), "RECIPE": str(kept / "verses.toml"), "FILE": str(kept / "verses.tsv")}
    words = [places.get(word, word) for word in shlex.split(COMMANDS[name].example)]
    code, out, err = run(name, *words, "--json")
    assert code == 0, err
    assert json.loads(out)


def test_it_is_measured_as_it_was(kept: Path) -> None:
    """To the rounding that another machine's arithmetic brings."""
    told: dict[str, Any] = read_json(kept / "run" / "evaluate" / "results.json")
    code, out, err = run("evaluate", str(kept / "run"), "--seed", "3", "--json")
    assert code == 0, err
    measured = json.loads(out)
    for name in ("iw_nll", "elbo_nll", "kl", "ppl", "ais_nll", "token_accuracy"):
        assert measured[name] == pytest.approx(told[name], rel=1e-3, abs=1e-3), name
    assert measured["collapsed"] == told["collapsed"]


def test_a_dry_run_on_it_says_what_is_so(kept: Path) -> None:
    """Up to date, or made by another version: never damaged, never of another format."""
    code, out, err = run("run", str(kept / "verses.toml"), "--out", str(kept / "run"), "--dry-run")
    assert code == 0, err
    lines = out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(STAGES)
    assert all("up to date" in line or "textvae 0.1.0 ->" in line or "will run because" in line for line in lines)
    assert not any("damaged" in line or "missing" in line for line in lines)
