"""A posterior without a density through the real trainer: what is logged, what is chosen by, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.unit.training.helpers import LABELS, LANGUAGE_MODEL, MODEL, config, lines, training_lines, write_corpora
from textvae.config import parse
from textvae.errors import ConfigError
from textvae.models import ModelConfig, TextVAE, load_model
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers import Tokenizer
from textvae.training import TrainResult, train

Corpora = tuple[TokenizedCorpus, TokenizedCorpus, Tokenizer]
STEIN: dict[str, Any] = {**MODEL, "posterior": {"kind": "stein", "particles": 5, "hidden_dim": 8}}
DECODERS: dict[str, dict[str, Any]] = {
    "lstm": MODEL["decoder"],
    "transformer": {"kind": "transformer", "model_dim": 8, "layers": 1, "heads": 2},
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    return write_corpora(tmp_path_factory.mktemp("corpora"))


def fit(corpora: Corpora, out: Path, **settings: Any) -> TrainResult:
    train_corpus, valid_corpus, tokenizer = corpora
    made = config(**{"model": STEIN, "objective": {"kind": "stein"}, **settings})
    return train(made, train_corpus, valid_corpus, out, seed=0, tokenizer=tokenizer, label_names=LABELS)


@pytest.mark.parametrize("decoder", DECODERS)
def test_what_is_logged_is_known_and_a_number(corpora: Corpora, tmp_path: Path, decoder: str) -> None:
    model = {**STEIN, "decoder": DECODERS[decoder]}
    result = fit(corpora, tmp_path, model=model, epochs=3, optimizer={"kind": "adam", "lr": 0.01})
    logged = lines(tmp_path)
    assert all(math.isfinite(value) for line in logged for value in line.values() if not isinstance(value, bool))
    unknown = ("kl", "kl_penalty", "kl_weight", "valid_kl", "valid_elbo_nll", "guard_kl", "guard_mi")
    assert not any(name in line for line in logged for name in unknown)
    trained = training_lines(tmp_path)
    assert all(line["loss"] == pytest.approx(line["nll"] + line["prior_nll"], rel=1e-5) for line in trained)
    assert trained[-1]["nll"] < trained[0]["nll"]
    epochs = [line for line in logged if "best" in line]
    assert len(epochs) == 3 and {"guard_active_units", "guard_permuted_rise", "valid_nll"} <= set(epochs[0])
    # Epochs compete on the bound of the proxy, and the result and the card name it as what it is.
    best = min(epochs, key=lambda line: line["valid_proxy_elbo_nll"])
    assert result.best_epoch == best["epoch"] and result.valid_elbo_nll is None
    assert result.valid_proxy_elbo_nll == pytest.approx(best["valid_proxy_elbo_nll"], rel=1e-6)
    assert "valid_elbo_nll" not in result.to_dict() and "valid_proxy_elbo_nll" in result.to_dict()
    assert "valid_proxy_elbo_nll" in (tmp_path / "model" / "README.md").read_text()
    assert json.loads((tmp_path / "result.json").read_text())["result"]["best_epoch"] == result.best_epoch
    assert load_model(tmp_path / "model").config.posterior.kind == "stein"  # type: ignore[attr-defined]


def test_a_gaussian_run_is_where_it_can_begin(corpora: Corpora, tmp_path: Path) -> None:
    """Nothing is learned in a step at rate 1e-9: moments and decoder are those of the Gaussian run."""
    fit(corpora, tmp_path / "gaussian", model=MODEL, objective={"kind": "elbo"})
    still = {"optimizer": {"kind": "sgd", "lr": 1e-9}, "max_steps": 1, "epochs": 1}
    fit(corpora, tmp_path / "stein", start_from={"run": str(tmp_path / "gaussian" / "model")}, **still)
    gaussian, stein = (load_model(tmp_path / name / "model") for name in ("gaussian", "stein"))
    assert isinstance(gaussian, TextVAE) and isinstance(stein, TextVAE)
    batch = corpora[1].batch(np.arange(9))
    with torch.no_grad():
        q, other = stein.posterior_of(batch), gaussian.posterior_of(batch)
        torch.testing.assert_close(q.mean, other.mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(q.variance, other.variance, rtol=1e-4, atol=0)
        z = torch.randn(1, 9, 3)
        ours, theirs = (model.decoder.log_prob(batch.tokens_BT, z) for model in (stein, gaussian))
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)
    # A Stein run begins another one, network and all.
    fit(corpora, tmp_path / "again", start_from={"run": str(tmp_path / "stein" / "model")}, **still)
    given, kept = (load_model(tmp_path / name / "model").state_dict() for name in ("stein", "again"))
    for name, value in given.items():
        torch.testing.assert_close(kept[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        *(({"objective": {"kind": kind}}, f"objective {kind} needs one; use .* kind = \"stein\"")
          for kind in ("elbo", "iwae", "renyi", "info_vae", "unregularized")),
        ({"model": MODEL}, "known for a gaussian posterior; use the objective elbo"),
        ({"regularizers": [{"kind": "bag_of_words"}]}, "learns from Stein's gradient alone"),
        ({"encoder_updates": {"kind": "aggressive"}}, "that of a stein posterior is unknown"),
        ({"model": {**STEIN, "prior": {"kind": "vamp"}}}, "a vamp prior is made of the posterior's density"),
        (
            {"model": {**STEIN, "prior": {"kind": "nearest_neighbors"}}},
            "compares the codes of sentences; .* or the prior 'standard_normal' or 'mixture'",
        ),
        ({"fresh_decoder": 2, "epochs": 5}, "has no weight that could be 0; remove fresh_decoder"),
        ({"model": {**STEIN, "prior": {"kind": "hyperspherical_uniform"}}}, "cannot have a hyperspherical_uniform"),
        ({"model": {**STEIN, "kind": "semi_supervised"}}, "summing out labels needs densities"),
        ({"model": {**STEIN, "posterior": {"kind": "stein", "particles": 2}}}, "use 5 particles or more"),
    ],
)  # fmt: skip
def test_what_needs_a_density_is_refused_before_training(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(**{"model": STEIN, "objective": {"kind": "stein"}, **settings})


def test_the_language_model_of_a_recipe_keeps_its_objective(corpora: Corpora, tmp_path: Path) -> None:
    """Without z every objective is the exact likelihood, so that a baseline needs no other table."""
    result = fit(corpora, tmp_path, model=LANGUAGE_MODEL)
    assert result.valid_elbo_nll is not None and result.valid_proxy_elbo_nll is None
    assert all(line["kl"] == 0 and line["loss"] == line["nll"] for line in training_lines(tmp_path))


def test_labels_cannot_be_asked_of_the_posterior_itself() -> None:
    built = parse(ModelConfig, STEIN, "test").posterior  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="labels to sum out"):
        built.build(feature_dim=4, latent_dim=2, num_labels=3)
