"""What epochs compete by, through the real trainer: the bound, or what an objective that is no bound names instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from tests.unit.training.helpers import LABELS, LANGUAGE_MODEL, MODEL, config, lines, validation_lines, write_corpora
from textvae.models import TextModel
from textvae.pipeline.report import plots
from textvae.pipeline.report.build import render
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers import Tokenizer
from textvae.training import TrainResult, train
from textvae.types import Batch, LatentTerms

Corpora = tuple[TokenizedCorpus, TokenizedCorpus, Tokenizer]
PLAIN: dict[str, Any] = {**MODEL, "decoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 9}}
COMPETING = {"elbo": "valid_elbo_nll", "unregularized": "valid_nll", "info_vae": "valid_loss"}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    return write_corpora(tmp_path_factory.mktemp("corpora"))


def fit(corpora: Corpora, out: Path, kind: str, **settings: Any) -> TrainResult:
    train_corpus, valid_corpus, tokenizer = corpora
    base = {"model": PLAIN, "epochs": 12, "optimizer": {"kind": "adam", "lr": 0.02}, "guard_sentences": 0}
    made = config(**{**base, "objective": {"kind": kind}, **settings})
    return train(made, train_corpus, valid_corpus, out, seed=0, tokenizer=tokenizer, label_names=LABELS)


@pytest.mark.parametrize("kind", COMPETING)
def test_the_epoch_kept_is_the_best_by_the_number_its_objective_names(
    corpora: Corpora, tmp_path: Path, kind: str
) -> None:
    """The result, its file and the model card name that number and no other one as what was competed by."""
    longer: dict[str, Any] = {"epochs": 20, "optimizer": {"kind": "adam", "lr": 0.05}} if kind == "info_vae" else {}
    result = fit(corpora, tmp_path, kind, **longer)
    name, epochs = COMPETING[kind], validation_lines(tmp_path)
    best = min(epochs, key=lambda line: line[name])
    assert result.best_epoch == best["epoch"]
    assert [line["epoch"] for line in epochs if line["best"]][-1] == best["epoch"]
    kept = json.loads((tmp_path / "result.json").read_text())["result"]
    assert kept[name] == pytest.approx(best[name], rel=1e-6)
    assert kept["valid_elbo_nll"] == pytest.approx(best["valid_elbo_nll"], rel=1e-6), "the bound of the kept epoch"
    assert not {"valid_nll", "valid_loss"} & set(kept) - {name}
    assert f"{name}: " in (tmp_path / "model" / "README.md").read_text()
    if kind != "elbo":
        other = min(epochs, key=lambda line: line["valid_elbo_nll"])
        assert other["epoch"] != best["epoch"] and other[name] > best[name] + 1.0, "the bound would have kept another"


def test_the_loss_of_info_vae_is_what_it_trains_on(corpora: Corpora, tmp_path: Path) -> None:
    """Without extras it is minus the ELBO; with them it is not, and it is the loss at the weight reached."""
    fit(corpora, tmp_path / "a", "info_vae", objective={"kind": "info_vae", "alpha": 0.0, "scale": 1.0}, epochs=1)
    (line,) = validation_lines(tmp_path / "a")
    assert line["valid_loss"] == pytest.approx(line["valid_elbo_nll"], rel=1e-5)
    fit(corpora, tmp_path / "b", "info_vae", objective={"kind": "info_vae", "scale": 0.0}, epochs=1)
    (line,) = validation_lines(tmp_path / "b")
    assert line["valid_loss"] == pytest.approx(line["valid_nll"], rel=1e-5)
    # Large batches, since the discrepancy of a few sentences is without bias and so at times below zero.
    fit(corpora, tmp_path / "c", "info_vae", epochs=1, batch_tokens=4096)
    (line,) = validation_lines(tmp_path / "c")
    assert line["valid_loss"] > line["valid_nll"] + 0.1


@pytest.mark.parametrize("kind", [*COMPETING, "batch_norm"])
def test_batches_are_fair_samples_where_sentences_depend_on_one_another(
    corpora: Corpora, tmp_path: Path, kind: str
) -> None:
    """In training and in validation. Elsewhere sentences of one length go together, as that costs no padding."""
    spread: dict[bool, list[float]] = {True: [], False: []}

    def watch(model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        spread[True].append(float(batch.lengths_B.float().var()))
        return {}

    class Watched(TokenizedCorpus):
        def batch(self, indices: np.ndarray) -> Batch:
            spread[False].append(float(np.var(np.asarray(self.lengths)[indices], ddof=1)))
            return super().batch(indices)

    train_corpus, valid_corpus, tokenizer = corpora
    normalized = {**PLAIN, "posterior": {"kind": "gaussian", "batch_norm": {}}}
    slot = {"model": normalized} if kind == "batch_norm" else {"model": PLAIN, "objective": {"kind": kind}}
    made = config(**slot, epochs=1, guard_sentences=0, batch_tokens=90)
    watched = Watched(valid_corpus.path)
    train(made, train_corpus, watched, tmp_path, seed=0, tokenizer=tokenizer, label_names=LABELS, regularizer=watch)
    for training, corpus in ((True, train_corpus), (False, valid_corpus)):
        ratio = np.mean(spread[training]) / np.var(np.asarray(corpus.lengths))
        assert ratio > 0.6 if kind in ("info_vae", "batch_norm") else ratio < 0.3, (training, ratio)


def test_patience_and_the_learning_rate_wait_for_that_number(corpora: Corpora, tmp_path: Path) -> None:
    """While reconstruction improves and the bound worsens, neither patience nor a plateau is spent."""
    plateau = {"kind": "plateau", "patience": 1, "factor": 0.5, "max_decays": 1}
    result = fit(corpora, tmp_path, "unregularized", early_stopping=2, decay=plateau, epochs=8)
    epochs = validation_lines(tmp_path)
    assert epochs[-1]["valid_elbo_nll"] > min(line["valid_elbo_nll"] for line in epochs)
    assert not result.stopped_early and result.best_epoch == 8


def test_a_language_model_competes_by_its_likelihood_under_any_objective(corpora: Corpora, tmp_path: Path) -> None:
    result = fit(corpora, tmp_path, "unregularized", model=LANGUAGE_MODEL, epochs=1)
    assert result.valid_elbo_nll is not None and "valid_nll" not in result.to_dict()


SAID = {
    "elbo": "validation bound at weight 1",
    "unregularized": "the reconstruction of validation sentences",
    "info_vae": "The best epoch is chosen by this loss",
}


@pytest.mark.parametrize(("kind", "said"), SAID.items())
def test_the_report_says_what_epochs_competed_by(corpora: Corpora, tmp_path: Path, kind: str, said: str) -> None:
    result = fit(corpora, tmp_path, kind, epochs=1)
    run: dict[str, Any] = dict.fromkeys(("recipe", "description", "seed", "textvae", "torch", "python", "hardware"), "")
    run |= {"seconds": 1.0, "stage_seconds": {}, "date": "", "settings": {}}
    corpus = dict.fromkeys(("name", "licence", "description", "citation", "source"), "")
    page = render({"run": run, "train": result.to_dict()}, {"train": {"curves": lines(tmp_path)}}, corpus, [])
    assert said in page
    names = ("validation bound", "validation NLL given z", "validation loss")
    shown = [name for name in names if f"<!-- {name} -->" in page]  # matplotlib's comment at each text
    assert shown == ([names[list(COMPETING).index(kind)]] if plots.available() else [])
