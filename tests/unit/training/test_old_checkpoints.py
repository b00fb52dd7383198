"""A training cut off under an earlier version goes on: what its checkpoint holds is read by every later one.

The checkpoint of the fixture was written in the third of four epochs. Early stopping, a plateau, a regularizer with
parameters, aggressive updates and a memory of codes all keep something in it.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.unit.training.helpers import LABELS, config, lines, without_times, write_corpora
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.runner import run_recipe
from textvae.training import train

FIXTURE = Path(__file__).parents[2] / "fixtures" / "format_1"
SETTINGS: dict[str, Any] = {
    "tokenize.tokenizer.split": "nltk",  # what a recipe of textvae 0.1 meant that names none
    "train.epochs": 4,
    "train.early_stopping": 3,
    "train.decay.kind": "plateau",
    "train.regularizers": [{"kind": "bag_of_words"}],
    "train.encoder_updates": {"kind": "aggressive", "max_updates": 4, "window": 2},
    "train.guard_sentences": 20,
    "train.model.prior": {"kind": "nearest_neighbors", "neighbors": 2, "hidden_dim": 4},
}


def trained(out: Path) -> Path:
    """The folder of the training, which is over."""
    with warnings.catch_warnings():
        # Of a model too small to use z, and of another machine than that of the fixture.
        warnings.simplefilter("ignore", UserWarning)
        run_recipe(
            read_recipe(FIXTURE / "verses.toml", SETTINGS), out, only="train", say=print, report=lambda recipe, out: {}
        )
    return out / "train"


def test_a_training_cut_off_under_format_1_goes_on(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE / "interrupted", tmp_path / "interrupted")
    written = lines(tmp_path / "interrupted" / "train.partial")
    # The splits of version 0.1.0 are kept, where a card would be divided in another way today.
    (tmp_path / "whole").mkdir()
    for name in ("recipe.json", "tokenize"):
        source = FIXTURE / "interrupted" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "whole" / name)
    resumed, whole = trained(tmp_path / "interrupted"), trained(tmp_path / "whole")

    # It went on from the checkpoint: what was written before it is still there, times included.
    assert lines(resumed)[: len(written)] == written
    assert not (resumed / "checkpoints").exists()
    found, expected = (without_times(lines(out)) for out in (resumed, whole))
    assert [list(line) for line in found] == [list(line) for line in expected]
    weights = [load_file(out / "model" / "model.safetensors") for out in (resumed, whole)]
    results = [json.loads((out / "result.json").read_text())["result"] for out in (resumed, whole)]
    for name in ("steps", "epochs", "train_tokens", "best_epoch", "stopped_early"):
        assert results[0][name] == results[1][name], name

    # A machine that computes the first epochs as that of the fixture did ends with the same bits.
    exact = found[: len(written)] == expected[: len(written)]
    tolerance = {"rtol": 0.0, "atol": 0.0} if exact else {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(weights[0], weights[1], **tolerance)
    assert not exact or found == expected


def test_what_a_checkpoint_holds_stays_as_it_was(tmp_path: Path) -> None:
    """The names in it, and those in the state of each part, are those of the fixture."""

    def cut_off_in_the_second_epoch(model: Any) -> float:
        if (tmp_path / "out" / "checkpoints").exists():
            raise RuntimeError("power cut")
        return 0.0

    train_corpus, valid_corpus, tokenizer = write_corpora(tmp_path)
    settings = {name.removeprefix("train."): value for name, value in SETTINGS.items() if "regularizers" in name}
    with pytest.raises(RuntimeError, match="power cut"):
        train(config(**settings), train_corpus, valid_corpus, tmp_path / "out", seed=0, tokenizer=tokenizer,
              label_names=LABELS, validation_metric=cut_off_in_the_second_epoch)  # fmt: skip
    old, new = (
        torch.load(next(folder.glob("checkpoints/step-*")) / "state.pt", weights_only=True)
        for folder in (FIXTURE / "interrupted" / "train.partial", tmp_path / "out")
    )
    assert list(old) == list(new)
    for name in ("optimizer", "regularizers", "learning_rate", "selection", "guard", "aggressive"):
        # The guard counts epochs since; it reads states without the number.
        later = ["unused_epochs"] if name == "guard" else []
        assert [*old[name], *later] == list(new[name]), name
    (old_process,), (new_process,) = old["by_process"], new["by_process"]
    assert list(old_process) == list(new_process)
    assert list(old_process["window"]) == list(new_process["window"])
