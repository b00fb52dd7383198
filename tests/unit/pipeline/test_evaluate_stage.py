"""The evaluate stage gives an evaluation all that it asks for."""

from __future__ import annotations

from pathlib import Path

from tests.unit.training.helpers import LABELS, MODEL, write_corpora
from textvae.config import parse
from textvae.evaluation import EvaluateConfig
from textvae.models import ModelConfig
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.stage import Work
from textvae.pipeline.stages.evaluate import EvaluateStage


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
