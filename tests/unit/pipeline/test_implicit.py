"""A model whose posterior has no density through the command line: trained, measured by annealing, shown and used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import feather

from tests.tiny_corpus import TOKENIZE, write_tiny
from tests.unit.pipeline.test_cli import refused, run
from textvae.errors import ConfigError
from textvae.evaluation import EvaluateConfig, evaluate
from textvae.models import load_model
from textvae.pipeline.new import to_toml
from textvae.text.tokenized import TokenizedCorpus

SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "corpus": "card",
    "tokenize": TOKENIZE,
    "train": {
        "epochs": 2,
        "batch_tokens": 512,
        "log_every": 2,
        "optimizer": {"kind": "adam", "lr": 1e-2},
        "objective": {"kind": "stein"},
        "model": {
            "kind": "text_vae",
            "latent_dim": 4,
            "posterior": {"kind": "stein", "hidden_dim": 16},
            "encoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16},
            "decoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16},
        },
    },
    "evaluate": {
        "iw_samples": 3,
        "quality_samples": 10,
        "samples": 5,
        "probe_labels": [20],
        "ais": {"sentences": 10, "chains": 2, "steps": 5, "leapfrog": 2, "simulated": 3},
    },
    "impute": {"sentences": 10, "texts": ["the ___ is good"], "samples": 4},
    "interpolate": {"count": 2, "steps": 3},
}
IMPOSSIBLE = ("iw_nll", "iw_samples", "elbo_nll", "kl", "mi", "mi_cap", "marginal_kl", "ppl", "elbo_ppl", "ais_gain")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny(folder, SETTINGS, sentences=300)
    done = run("run", "tiny.toml", "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_report_says_what_is_known_and_nothing_else(folder: Path) -> None:
    report = json.loads((folder / "run" / "report.json").read_text())
    measured = report["evaluate"]
    assert not set(IMPOSSIBLE) & set(measured)
    known = {"ais_nll", "ais_nll_se", "ais_ppl", "ais_tokens", "rec_nll", "active_units", "permuted_rise", "collapsed",
             "token_accuracy", "probe_accuracy_20", "simulated_nll_upper", "simulated_nll_lower", "tokens"}  # fmt: skip
    assert known <= set(measured)
    assert not {"simulated_iw_nll", "simulated_iw_distance"} & set(measured)
    total = measured["ais_nll"] * measured["ais_sentences"]
    assert measured["ais_ppl"] == pytest.approx(math.exp(total / measured["ais_tokens"]), rel=1e-6)
    assert report["train"]["valid_proxy_elbo_nll"] > 0 and "valid_elbo_nll" not in report["train"]
    assert report["impute"]["sentences"] == 10 and "ends_changed" in report["interpolate"]
    by_sentence = feather.read_table(folder / "run" / "evaluate" / "by_sentence.arrow")
    assert by_sentence.num_rows == measured["sentences"] and "iw_nll" not in by_sentence.column_names
    assert np.mean(by_sentence["rec_nll"]) == pytest.approx(measured["rec_nll"])
    page = (folder / "run" / "report.html").read_text()
    assert "Perplexity, annealed" in page and "bound of a proxy" in page and "share, from 20 labels" in page
    assert "The solid line is the raw KL" not in page and "Weight of the KL" not in page


def test_the_command_measures_it_the_same_in_batches_of_any_size(folder: Path) -> None:
    found = run("evaluate", "run", "--json", cwd=folder)
    assert found.returncode == 0, found.stderr
    measured = json.loads(found.stdout)
    assert measured["ais_nll"] > 0 and not set(IMPOSSIBLE) & set(measured)
    model, corpus = load_model(folder / "run" / "train" / "model"), TokenizedCorpus(folder / "run/tokenize/test.arrow")
    settings = {name: value for name, value in SETTINGS["evaluate"].items() if name != "probe_labels"}
    one, other = (evaluate(model, corpus, EvaluateConfig(**settings, batch_tokens=n)) for n in (60, 10_000))
    for name in ("ais_nll", "rec_nll", "permuted_rise", "active_units"):
        assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-3), name
    assert one.latent_means is not None and np.isfinite(one.latent_means).all()


def test_codes_are_used_by_every_command(folder: Path) -> None:
    for arguments in (
        ["generate", "run", "-n", "2"],
        ["generate", "run", "-n", "2", "--start", "the a i is good"],
        ["reconstruct", "run", "the a i is good"],
        ["interpolate", "run", "the a i is good", "the b j is sad", "--steps", "3"],
        ["impute", "run", "the ___ i is good"],
    ):
        made = run(*arguments, cwd=folder)
        assert made.returncode == 0 and made.stdout.strip(), made.stderr


def test_recipes_that_need_a_density_are_refused_before_training(folder: Path) -> None:
    (folder / "none.toml").write_text(to_toml({**SETTINGS, "name": "none", "evaluate": {}}, "A recipe."))
    said = refused(run("run", "none.toml", "--dry-run", cwd=folder))
    assert "add [evaluate.ais]" in said and "stein posterior has no density" in said
    said = refused(run("run", "tiny.toml", "--set", "classify={labels=20}", "--dry-run", cwd=folder))
    assert "[classify.model] of its own" in said
    # A recipe without an evaluation needs no bound, and its baseline has one.
    assert run("run", "none.toml", "--dry-run", "--only", "train", cwd=folder).returncode == 0
    baseline = run("run", "none.toml", "--set", "train.model.kind=language_model", "--dry-run", cwd=folder)
    assert baseline.returncode == 0, baseline.stderr


def test_a_model_without_a_recipe_asks_for_annealing(folder: Path) -> None:
    model, corpus = load_model(folder / "run" / "train" / "model"), TokenizedCorpus(folder / "run/tokenize/test.arrow")
    with pytest.raises(ConfigError, match="--ais to the command"):
        evaluate(model, corpus, EvaluateConfig())


def test_another_run_starts_from_it_wherever_both_are(folder: Path) -> None:
    """The whole way of `train.start_from`: resolved beside the run, its weights read, its training among the inputs."""
    settings = ["name=heir", "train.start_from.run=runs/run", "train.max_steps=1", "train.optimizer.lr=1e-9"]
    arguments = [part for setting in settings for part in ("--set", setting)]
    done = run("run", "tiny.toml", *arguments, "--only", "train", "--out", "heir", cwd=folder)
    assert done.returncode == 0, done.stderr
    given, kept = (load_model(folder / name / "train" / "model").state_dict() for name in ("run", "heir"))
    assert all(np.allclose(given[name], kept[name], atol=1e-6) for name in given)
    first, second = (json.loads((folder / name / "train/manifest.json").read_text()) for name in ("run", "heir"))
    assert second["inputs"]["start_from"] == first["fingerprint"]
    assert first["seconds"] == pytest.approx(first["results"]["seconds"], abs=1e-3), "one time, not two"
