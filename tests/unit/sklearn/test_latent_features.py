"""What `LatentFeatures` alone does: codes, the sentences decoded from them, and models that are trained already."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import textvae
from tests.unit.sklearn.estimators import SETTINGS, TEXTS, features, topics
from textvae.errors import ConfigError, ModelError
from textvae.sklearn import InputError, LatentFeatures


def majority(labels: list[str]) -> float:
    return max(map(labels.count, labels)) / len(labels)


def learning() -> LatentFeatures:
    """An estimator that learns the topics in a second."""
    encoder = {"kind": "lstm", "embedding_dim": 16, "hidden_dim": 24, "pooling": "max", "bidirectional": True}
    decoder = {"kind": "lstm", "embedding_dim": 16, "hidden_dim": 24, "word_dropout": 0.5}
    settings = {
        "train.model.encoder": encoder,
        "train.model.decoder": decoder,
        "train.optimizer.lr": 1e-2,
        "train.guard_sentences": 0,
        "train.objective": {"kind": "elbo", "kl_weight": {"kind": "constant", "weight": 0.1}},
    }
    return LatentFeatures(minutes=0.15, latent_dim=8, settings=settings)


# --- transform ----------------------------------------------------------------------------------------------


def test_rows_are_posterior_means(fitted: LatentFeatures) -> None:
    rows = fitted.transform(TEXTS[:9])
    assert rows.shape == (9, 4) and rows.dtype == np.float32
    assert np.allclose(rows, fitted.model_.encode(TEXTS[:9]).cpu().numpy(), atol=1e-5)
    assert not fitted.model_.training


def test_labels_are_not_used(fitted: LatentFeatures) -> None:
    made = features()
    assert np.array_equal(made.fit_transform(TEXTS, [3] * len(TEXTS)), fitted.transform(TEXTS))


def test_a_blank_text_has_the_code_of_a_sentence_without_words(fitted: LatentFeatures) -> None:
    from textvae.tasks.sentences import batch_of

    model = fitted.model_
    expected = model.posterior_of(batch_of([[]], model.device)).center.detach().cpu().numpy()
    assert np.allclose(fitted.transform([""]), expected, atol=1e-6)


# --- inverse_transform, names -------------------------------------------------------------------------------


def test_codes_are_decoded(fitted: LatentFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = fitted.transform(TEXTS[:7])
    sentences = fitted.inverse_transform(codes)
    assert sentences == fitted.model_.decode(codes) and len(sentences) == 7
    assert all(isinstance(sentence, str) for sentence in sentences)
    monkeypatch.setattr("textvae.sklearn.latent_features.CODES_AT_ONCE", 2)
    assert fitted.inverse_transform(codes.tolist()) == sentences
    assert fitted.inverse_transform(np.empty((0, 4))) == []


@pytest.mark.parametrize("codes", [[0.0] * 4, [[0.0] * 3], [[np.nan] * 4], [["a"] * 4], np.zeros((2, 4, 1)), "text"])
def test_what_are_no_codes_is_refused(codes: Any, fitted: LatentFeatures) -> None:
    with pytest.raises(ValueError, match="numbers"):
        fitted.inverse_transform(codes)


def test_features_have_names(fitted: LatentFeatures) -> None:
    expected = [f"latentfeatures{d}" for d in range(4)]
    assert fitted.get_feature_names_out().tolist() == expected
    assert fitted.get_feature_names_out(["text"]).tolist() == expected
    pandas = pytest.importorskip("pandas")
    texts = pandas.Series(TEXTS[:3])
    framed = copy.copy(fitted).set_output(transform="pandas").transform(texts)
    assert list(framed.columns) == expected
    assert np.array_equal(framed.to_numpy(), fitted.transform(texts))
    assert fitted.inverse_transform(framed) == fitted.inverse_transform(framed.to_numpy())


def test_a_column_of_a_table(fitted: LatentFeatures) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"said": TEXTS, "stars": range(len(TEXTS))})
    columns = ColumnTransformer([("z", features(), "said")], remainder="passthrough")
    rows = columns.fit_transform(table)
    assert np.allclose(rows[:, :4], fitted.transform(TEXTS), atol=1e-5) and rows[:, 4].tolist() == list(
        range(len(TEXTS))
    )
    assert columns.get_feature_names_out().tolist() == [
        *(f"z__latentfeatures{d}" for d in range(4)),
        "remainder__stars",
    ]
    with pytest.raises(ValueError, match="name the column by a string"):
        ColumnTransformer([("z", features(), ["said"])]).fit(table)


# --- with other estimators ----------------------------------------------------------------------------------


def test_a_pipeline_classifies_better_than_the_majority() -> None:
    texts, labels = topics(500)
    pipeline = make_pipeline(learning(), StandardScaler(), LogisticRegression()).fit(texts[:300], labels[:300])
    assert pipeline.score(texts[300:], labels[300:]) > majority(labels[300:]) + 0.2


@pytest.mark.slow
def test_a_grid_search_in_two_processes() -> None:
    texts, labels = topics(500)
    pipeline = Pipeline([("z", learning()), ("scale", StandardScaler()), ("classify", LogisticRegression())])
    search = GridSearchCV(pipeline, {"z__latent_dim": [2, 8]}, cv=2, n_jobs=2, error_score="raise")
    search.fit(texts[:300], labels[:300])
    dim = search.best_params_["z__latent_dim"]
    assert len(search.best_estimator_["z"].get_feature_names_out()) == dim and dim in (2, 8)
    assert search.score(texts[300:], labels[300:]) > majority(labels[300:]) + 0.1


# --- saving, parameters -------------------------------------------------------------------------------------


def test_a_saved_one_decodes_and_is_a_pretrained_model(fitted: LatentFeatures, tmp_path: Path) -> None:
    place = tmp_path / "saved"
    fitted.save(place)
    loaded = LatentFeatures.load(place)
    assert loaded.inverse_transform(np.zeros((1, 4))) == fitted.inverse_transform(np.zeros((1, 4)))
    model = textvae.TextVAE.from_pretrained(place)
    assert np.allclose(model.encode(TEXTS[:3]).numpy(), fitted.transform(TEXTS[:3]), atol=1e-5)
    assert np.array_equal(LatentFeatures(pretrained=place).fit(["a"]).transform(TEXTS), fitted.transform(TEXTS))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": "8"}, "latent_dim is '8'"),
        ({"pretrained": 3}, "pretrained is 3"),
    ],
)
def test_a_wrong_parameter_is_named_by_fit(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        features(**parameters).fit(TEXTS)


def test_a_mean_that_is_no_feature_is_refused_before_it_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.training.train", None)
    settings = {**SETTINGS, "train.model.posterior": {"kind": "zero_mean"}}
    with pytest.raises(ModelError, match="same for every text"):
        features(settings=settings, latent_dim=None).fit(TEXTS)


def test_latent_dim_and_seed_override_settings(tmp_path: Path) -> None:
    settings = {**SETTINGS, "train.model.latent_dim": 9, "seed": 5, "tokenize.max_tokens": 6}
    made = features(settings=settings, latent_dim=3, random_state=2).fit(TEXTS)
    assert (made.model_.latent_dim, made.seed_, made.card_["seed"], made.model_.max_tokens) == (3, 2, 2, 6)


# --- a model that is trained already ------------------------------------------------------------------------


def test_a_trained_model_is_only_loaded(tiny_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("textvae.training.train", None)
    run = tiny_run / "run"
    made = LatentFeatures(pretrained=run, latent_dim=99).fit(["the a i is good"])
    model = textvae.TextVAE.from_pretrained(run / "train" / "model")
    texts = ["the a i is good", "the b j is bad"]
    assert np.allclose(made.transform(texts), model.encode(texts).numpy(), atol=1e-5) and made.seed_ is None
    same = LatentFeatures(pretrained=str(run / "train" / "model")).fit(texts)
    assert np.array_equal(same.transform(texts), made.transform(texts))
    made.save(tmp_path / "saved")
    loaded = LatentFeatures.load(tmp_path / "saved")
    assert np.array_equal(loaded.transform(texts), made.transform(texts))
    assert (loaded.pretrained, loaded.seed_) == (str(run), None)
    with pytest.raises(InputError):
        made.fit("the a i is good")


def test_a_trained_model_without_features_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a label beside its code"):
        LatentFeatures(pretrained=tiny_run / "run" / "classify" / "model").fit(["a"])
    with pytest.raises(ModelError, match="does not exist"):
        LatentFeatures(pretrained=tmp_path / "nothing").fit(["a"])
