"""The evaluate stage and the command give an evaluation all that it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.helpers import LABELS, MODEL, config, sentences, write_corpora
from textvae.commands.evaluate import evaluate_run
from textvae.config import parse
from textvae.disk import write_json
from textvae.errors import ConfigError
from textvae.evaluation import EvaluateConfig
from textvae.models import ModelConfig
from textvae.pipeline.manifest import Manifest, describe_files
from textvae.pipeline.plan import make_plan
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.stage import Work
from textvae.pipeline.stages import STAGES
from textvae.pipeline.stages.evaluate import EvaluateStage
from textvae.training import train


def test_probes_learn_from_the_training_split_and_are_reported(tmp_path: Path) -> None:
    train_corpus, _, tokenizer = write_corpora(tmp_path)
    model = parse(ModelConfig, MODEL, "test").build(
        vocab_size=tokenizer.vocab_size, max_tokens=int(train_corpus.lengths.max()), label_names=LABELS
    )
    model.tokenizer = tokenizer
    model.save_pretrained(tmp_path / "train" / "model")
    (tmp_path / "evaluate").mkdir()
    config = EvaluateConfig(split="valid", iw_samples=2, quality_samples=4, samples=2, probe_labels=(20,))
    work = Work(
        recipe=Recipe("test", "", 0, ("none", {}), {}),
        config=config,
        folder=tmp_path / "evaluate",
        inputs={"tokenize": tmp_path, "train": tmp_path / "train"},
        seed=0,
        say=lambda line: None,
    )
    found = EvaluateStage().run(work)
    assert 0.0 <= found["probe_accuracy_20"] <= 1.0 and found["probe_accuracy_20_se"] < 0.2


def test_annealing_a_label_is_refused_before_training(tmp_path: Path) -> None:
    def plan(evaluate: dict[str, Any]) -> None:
        tables = {"tokenize": {}, "train": {"model": {**MODEL, "kind": "semi_supervised"}}, "evaluate": evaluate}
        make_plan(Recipe("x", "", 0, ("bible", {}), tables, tmp_path, "recipe x"), STAGES, tmp_path / "run")

    with pytest.raises(ConfigError, match=r"^recipe x: annealed .* has a label beside it; leave out \[evaluate.ais\]"):
        plan({"ais": {}})
    plan({})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with labels, whose model remembers its training sentences."""
    home = tmp_path_factory.mktemp("run")
    (home / "tokenize").mkdir()
    corpus, valid, tokenizer = write_corpora(home / "tokenize")
    settings = config(model={**MODEL, "prior": {"kind": "nearest_neighbors", "neighbors": 3}}, epochs=1)
    train(settings, corpus, valid, home / "train", seed=0, tokenizer=tokenizer, progress=False)
    Manifest("tokenize", "", 1, "", {}, {}, {}, {}, None, files=describe_files(home / "tokenize")).write(
        home / "tokenize"
    )
    table = {"split": "valid", "iw_samples": 2, "quality_samples": 4, "samples": 2, "probe_labels": [20]}
    write_json(home / "recipe.json", {"evaluate": table})
    return home


def test_the_command_measures_all_that_the_stage_does(home: Path) -> None:
    found = evaluate_run(home, split="valid")
    assert found["split"] == "valid" and found["kl_nearest"] > 0
    assert 0.0 <= found["probe_accuracy_20"] <= 1.0
    assert "sample_memorized" in found
    # A corpus without a test split is measured on what it has, under its name.
    assert evaluate_run(home)["split"] == "valid"


def test_on_the_training_split_nothing_is_measured_that_needs_other_sentences(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluate_run(home, split="train")
    assert found["split"] == "train" and found["sentences"] == 48
    assert not [name for name in found if name.startswith(("kl_nearest", "probe_accuracy"))]
    assert "no probes" in capsys.readouterr().err


def test_sentences_of_a_file_have_no_labels(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("\n".join(sentences(30, seed=9)) + "\n")
    found = evaluate_run(home, file=file)
    assert found["split"] == str(file) and found["sentences"] == 30 and found["kl_nearest"] > 0
    assert not [name for name in found if name.startswith("probe_accuracy")]
