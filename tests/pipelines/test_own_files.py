"""Files as people have them go from `textvae new` through a small run to a report, without a hand on them."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path

import pytest

from tests.own_texts import OWN_TEXTS
from tests.pipelines.test_own_text import run
from textvae.text.corpora import load_card
from textvae.text.inspect import inspect_file


@pytest.fixture(params=OWN_TEXTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(folder: Path, name: str) -> Path:
    own = OWN_TEXTS[name]
    own.write(folder / own.name, random.Random(name))
    return folder / own.name


def test_it_is_read_as_what_it_is(name: str, tmp_path: Path) -> None:
    own, file = OWN_TEXTS[name], written(tmp_path, name)
    found = inspect_file(file)
    assert (found.kind, found.text_column, found.label_column) == (own.kind, own.text, own.label)
    assert found.texts.count >= 150


@pytest.mark.slow
def test_it_becomes_a_model_and_a_report(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, file = OWN_TEXTS[name], written(tmp_path, name)
    monkeypatch.chdir(tmp_path)
    code, out, err = run("new", str(file), "--name", name, "--minutes", "0.1")
    assert code == 0, err
    assert out == f"textvae run {name}.toml\n"
    recipe = tomllib.loads((tmp_path / f"{name}.toml").read_text(encoding="utf-8"))
    assert recipe["seed"] == 0
    card = load_card(tmp_path / f"{name}_corpus.toml")
    assert set(own.splits) <= set(card.own_splits)
    texts = {split: {example.text for example in card.read(split)} for split in card.splits}  # type: ignore[arg-type]
    assert list(texts) == ["train", "valid", "test"] and all(texts.values())
    code, _, err = run("run", f"{name}.toml")
    assert code == 0, err
    report = json.loads((tmp_path / "runs" / name / "report.json").read_text(encoding="utf-8"))
    assert (tmp_path / "runs" / name / "report.html").exists()
    assert report["evaluate"]["iw_nll"] > 0
    unknown = report["tokenize"]["test"]["unknown_tokens"] / report["tokenize"]["test"]["tokens"]
    assert unknown < 0.05
    assert ("classify" in report) == (own.label is not None)
