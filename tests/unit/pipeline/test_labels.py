"""Models with labels through the command line: trained, measured, shown by label and asked for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_corpus import TOKENIZE, write_tiny
from tests.unit.pipeline.test_cli import refused, run
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.stages.train import TrainStage
from textvae.priors import ConditionalPriorConfig

SMALL: dict[str, Any] = {"embedding_dim": 8, "hidden_dim": 16}
DECODERS: dict[str, dict[str, Any]] = {
    "lstm": {"kind": "lstm", **SMALL},
    "transformer": {"kind": "transformer", "model_dim": 8, "layers": 1, "heads": 2},
}


MODELS: dict[str, dict[str, Any]] = {
    **{
        f"prior-{name}": {"kind": "text_vae", "prior": {"kind": "conditional", "num_labels": 2}, "decoder": decoder}
        for name, decoder in DECODERS.items()
    },
    "semi_supervised": {"kind": "semi_supervised", "decoder": DECODERS["lstm"]},
}


def settings(kind: str) -> dict[str, Any]:
    model = {**MODELS[kind], "latent_dim": 4, "encoder": {"kind": "lstm", **SMALL}}
    return {
        "name": "tiny",
        "corpus": "card",
        "tokenize": TOKENIZE,
        "train": {"epochs": 1, "batch_tokens": 512, "model": model},
        "evaluate": {"iw_samples": 2, "quality_samples": 4, "samples": 4},
    }


@pytest.mark.parametrize("kind", MODELS)
def test_a_run_shows_sentences_by_label_and_gives_more(tmp_path: Path, kind: str) -> None:
    write_tiny(tmp_path, settings(kind), sentences=120)
    done = run("run", "tiny.toml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = json.loads((tmp_path / "run" / "evaluate" / "details.json").read_text())["samples"]["by_label"]
    names = [one["label"] for one in shown]
    assert len(set(names)) == 2 and all(len(one["sentences"]) == 6 for one in shown)
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(f"<h3>{name}</h3>" in page for name in names) and "the label is summed out" in page
    drawn = ["generate", "run", "-n", "6", "--decoding", "sample", "--label"]
    for one in shown:
        assert run(*drawn, one["label"], cwd=tmp_path).stdout.splitlines() == one["sentences"]
    assert f"it knows {names[0]!r}, {names[1]!r}" in refused(run(*drawn, "neither", cwd=tmp_path))


def test_the_recipe_of_the_family_has_settings_that_training_takes() -> None:
    trained = checked_settings(read_recipe("family_conditional_prior"), [TrainStage()])["train"]
    assert trained.model.prior == ConditionalPriorConfig(num_labels=2)
