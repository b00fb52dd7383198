"""Codes in levels through the real trainer, the evaluate stage and the report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.training.helpers import LABELS, MODEL, config, training_lines, validation_lines, write_corpora
from textvae.disk import read_json
from textvae.evaluation import EvaluateConfig
from textvae.models import load_model
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.report.build import render
from textvae.pipeline.stage import DETAILS, Work
from textvae.pipeline.stages.evaluate import EvaluateStage
from textvae.training import train

DECODERS: dict[str, dict[str, Any]] = {
    "lstm": MODEL["decoder"],
    "transformer": {"kind": "transformer", "model_dim": 8, "layers": 1, "heads": 2},
}
LEVELS = {"kind": "hierarchical", "levels": 3, "hidden_dim": 6}
FREE_BITS = {"kind": "elbo", "free_bits": {"kind": "batch_mean", "nats": 1.5}}


@pytest.mark.filterwarnings("ignore::textvae.training.CollapseWarning")
@pytest.mark.parametrize(
    ("decoder", "objective"),
    [("lstm", FREE_BITS), ("transformer", FREE_BITS), ("transformer", {"kind": "iwae", "samples": 2})],
    ids=["lstm-free_bits", "transformer-free_bits", "transformer-iwae"],
)
def test_it_trains_and_logs_the_kl_of_each_level(decoder: str, objective: dict[str, Any], tmp_path: Path) -> None:
    """Every number of every step is finite, levels sum to the KL, the bound improves, and the prior has learned."""
    train_corpus, valid_corpus, tokenizer = write_corpora(tmp_path)
    model = {**MODEL, "latent_dim": 6, "posterior": LEVELS, "prior": LEVELS, "decoder": DECODERS[decoder]}
    settings = config(model=model, objective=objective, epochs=4, optimizer={"kind": "adam", "lr": 0.01})
    train(settings, train_corpus, valid_corpus, tmp_path, seed=0, tokenizer=tokenizer, label_names=LABELS)
    lines = training_lines(tmp_path)
    for line in lines:
        assert all(math.isfinite(value) for value in line.values() if isinstance(value, float))
        assert line["kl_z_1"] + line["kl_z_2"] + line["kl_z_3"] == pytest.approx(line["kl"], rel=1e-5)
        if "free_bits" in objective:
            assert line["kl_penalty"] >= 1.5 - 1e-5
    epochs = validation_lines(tmp_path)
    assert epochs[-1]["valid_elbo_nll"] < epochs[0]["valid_elbo_nll"] - 1.0
    assert all(0 <= line["valid_active_units"] <= 6 for line in epochs)
    prior = load_model(tmp_path / "model").prior()  # type: ignore[operator]
    z = 2 * torch.randn(20, 6)
    with torch.no_grad():
        assert (prior.log_prob(z) + (0.5 * z.square() + 0.5 * math.log(2 * math.pi)).sum(-1)).abs().max() > 1e-3


def test_the_report_shows_what_levels_cost_and_tell(tmp_path: Path) -> None:
    train_corpus, valid_corpus, tokenizer = write_corpora(tmp_path)
    settings = config(model={**MODEL, "latent_dim": 6, "posterior": LEVELS, "prior": LEVELS}, epochs=1)
    train(settings, train_corpus, valid_corpus, tmp_path / "train", seed=0, tokenizer=tokenizer, label_names=LABELS)
    (tmp_path / "evaluate").mkdir()
    work = Work(
        recipe=Recipe("test", "", 0, ("none", {}), {}),
        config=EvaluateConfig(split="valid", iw_samples=2, quality_samples=0, samples=2, rate_distortion_samples=2),
        folder=tmp_path / "evaluate",
        inputs={"tokenize": tmp_path, "train": tmp_path / "train"},
        seed=0,
        say=lambda line: None,
    )
    found = EvaluateStage().run(work)
    assert found["kl_z_1"] + found["kl_z_2"] + found["kl_z_3"] == pytest.approx(found["kl"], rel=1e-6)
    details = read_json(tmp_path / "evaluate" / DETAILS)
    rows = details["rate_distortion"]
    assert [row["levels"] for row in rows] == [0, 1, 2, 3] and rows[0]["rate"] == 0
    assert all({"rate_se", "distortion", "distortion_se", "bleu", "token_accuracy"} <= row.keys() for row in rows)
    assert rows[3]["bleu"] == pytest.approx(found["bleu"])
    run: dict[str, Any] = dict.fromkeys(("recipe", "description", "seed", "textvae", "torch", "python", "hardware"), "")
    run |= {"seconds": 1.0, "stage_seconds": {}, "date": "", "settings": {}}
    corpus = dict.fromkeys(("name", "licence", "description", "citation", "source"), "")
    page = render({"run": run, "evaluate": found}, {"evaluate": details}, corpus, [])
    assert "Levels of z" in page and f"{rows[1]['distortion']:.2f} ±" in page
    assert "Levels of z" not in render({"run": run, "evaluate": found}, {}, corpus, [])
