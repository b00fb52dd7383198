"""The stage `baseline` is the run of the language model that the setting makes, beside the same sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.tiny_corpus import SETTINGS, write_tiny
from textvae.errors import ConfigError
from textvae.pipeline import run
from textvae.pipeline.comparing import compare

TABLES = {name: SETTINGS[name] for name in ("name", "corpus", "tokenize", "evaluate")}
START = {"train": {**SETTINGS["train"], "regularizers": [{"kind": "bag_of_words", "hidden_dim": 5}]}, "baseline": {}}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("baseline"), {**TABLES, **START}, sentences=300)


def test_it_is_the_language_model_of_the_setting(recipe: Path) -> None:
    both = run(recipe, out=recipe.parent / "both")
    alone = run(recipe, settings={"train.model.kind": "language_model"}, out=recipe.parent / "alone")
    assert "baseline" not in alone, "the baseline has no baseline"
    weights = [
        load_file(recipe.parent / folder / "model" / "model.safetensors") for folder in ("both/baseline", "alone/train")
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    found = both["baseline"]
    assert found["nll"] == pytest.approx(alone["evaluate"]["iw_nll"], rel=1e-6)
    assert found["ppl"] == pytest.approx(alone["evaluate"]["ppl"], rel=1e-6)
    assert found["parameters"] == alone["train"]["parameters"] < found["model_parameters"]
    (pair,) = compare([recipe.parent / "alone", recipe.parent / "both"])["paired"]
    assert found["difference"] == pytest.approx(pair["difference"], rel=1e-5)
    assert found["difference_se"] == pytest.approx(pair["difference_se"], rel=1e-5)
    assert found["samples"] == pair["samples"] == SETTINGS["evaluate"]["iw_samples"]

    page = (recipe.parent / "both" / "report.html").read_text(encoding="utf-8")
    assert "Beside a language model" in page and f"{found['difference']:+.3f}" in page


def test_it_has_its_own_fingerprint_and_runs_alone(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = recipe.parent / "own"
    run(recipe, out=out, only="evaluate")
    capsys.readouterr()
    run(recipe, out=out)
    told = capsys.readouterr().err
    assert "baseline: running because its output is missing" in told and "train: running" not in told
    run(recipe, out=out)
    assert "nothing to do" in capsys.readouterr().err


def test_a_language_model_has_none(recipe: Path) -> None:
    tables = {**TABLES, "train": {"model": {"kind": "language_model"}}, "baseline": {}}
    with pytest.raises(ConfigError, match=r"\[baseline\]"):
        run({**tables, "corpus": str(recipe.parent / "card.toml")}, out=recipe.parent / "none")
