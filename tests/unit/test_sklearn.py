"""`LatentFeatures` keeps scikit-learn's contract. `check_estimator` runs hardly anything for texts, so its checks are
called by name where they need no table of numbers, and written out for texts where they do."""

from __future__ import annotations

import copy
import doctest
import json
import pickle
import random
import re
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

import textvae
import textvae.sklearn as module
from textvae.errors import ConfigError, DataError, ModelError, TextVAEError
from textvae.sklearn import InputError, LatentFeatures

SMALL = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16}
SETTINGS: dict[str, Any] = {
    "train.epochs": 2,
    "train.max_steps": None,
    "train.batch_tokens": 512,
    "train.optimizer.lr": 1e-2,
    "train.guard_sentences": 0,
    "train.model.encoder": {**SMALL, "pooling": "max"},
    "train.model.decoder": SMALL,
}
"""A training of a second."""
TOPICS = {
    "sea": (["sailor", "captain", "fisher"], ["sailed", "mended", "pulled"], ["boat", "net", "anchor"]),
    "farm": (["farmer", "shepherd", "miller"], ["counted", "bought", "sold"], ["field", "sheep", "corn"]),
    "inn": (["cook", "waiter", "baker"], ["cooked", "served", "ate"], ["soup", "bread", "cake"]),
}


def topics(count: int) -> tuple[list[str], list[str]]:
    """Sentences whose words are all of one topic, so that a small VAE needs z for them; labelled indoors or not."""
    rng = random.Random(0)
    chosen = [rng.choice(list(TOPICS)) for _ in range(count)]
    texts = ["the {} {} the {} and the {} {} the {} .".format(*map(rng.choice, TOPICS[one] * 2)) for one in chosen]
    return texts, ["in" if one == "inn" else "out" for one in chosen]


TEXTS, LABELS = topics(120)


def features(**parameters: Any) -> LatentFeatures:
    return LatentFeatures(**{"minutes": 1.0, "latent_dim": 4, "settings": SETTINGS, **parameters})


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


@pytest.fixture(scope="module")
def fitted() -> LatentFeatures:
    """A fitted estimator, which tests use and do not change."""
    return features().fit(TEXTS)


# --- scikit-learn's own checks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimators_unfitted",
        "check_transformers_unfitted",
        "check_get_feature_names_out_error",
        "check_transformer_get_feature_names_out",
        "check_set_output_transform",
        "check_n_features_in_after_fitting",
        "check_transformer_n_iter",
    ],
)
def test_a_check_of_scikit_learn_that_needs_no_numbers(name: str) -> None:
    if not hasattr(estimator_checks, name):
        pytest.skip(f"this version of scikit-learn has no {name}")
    getattr(estimator_checks, name)("LatentFeatures", features())


def test_check_estimator_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it can test little with texts
        estimator_checks.check_estimator(LatentFeatures())


def test_parameters_are_stored_as_they_are() -> None:
    settings = {"train.epochs": 3}
    made = LatentFeatures(settings=settings, latent_dim=3)
    assert made.settings is settings and set(vars(made)) == set(made.get_params())
    assert made.set_params(latent_dim=5) is made and made.get_params()["latent_dim"] == 5
    copied = clone(made)
    assert copied.get_params() == made.get_params() and copied.settings is not settings
    assert repr(LatentFeatures(latent_dim=5)) == "LatentFeatures(latent_dim=5)"


def test_fit_returns_itself_and_leaves_parameters_and_texts_alone() -> None:
    texts = np.array(TEXTS, dtype=object)
    texts.setflags(write=False)
    made = features()
    before, given = copy.deepcopy(made.get_params()), texts.copy()
    assert made.fit(texts, LABELS) is made
    assert made.get_params() == before and np.array_equal(texts, given)
    assert before["settings"] == SETTINGS
    check_is_fitted(made)
    public = {name for name in vars(made) if not name.startswith("_")}
    assert public - set(before) == {"model_", "card_", "seed_"}
    made.transform(texts)
    assert set(vars(made)) >= public and made.get_params() == before


@pytest.mark.parametrize("call", ["transform", "inverse_transform", "get_feature_names_out", "save"])
def test_nothing_works_before_fit(call: str, tmp_path: Path) -> None:
    arguments = {"transform": [TEXTS], "inverse_transform": [[[0.0] * 4]], "save": [tmp_path / "x"]}.get(call, [])
    with pytest.raises(NotFittedError):
        getattr(features(), call)(*arguments)


def test_equal_fits_from_equal_seeds(fitted: LatentFeatures) -> None:
    expected = fitted.transform(TEXTS)
    assert np.array_equal(clone(fitted).fit(TEXTS).transform(TEXTS), expected)
    again = features(random_state=1)
    other = again.fit_transform(TEXTS, LABELS)
    assert not np.allclose(other, expected)
    # Fitted again with the first seed, it forgets the other fit.
    assert np.array_equal(again.set_params(random_state=0).fit(TEXTS).transform(TEXTS), expected)


def test_fits_in_threads_are_those_made_one_by_one(fitted: LatentFeatures) -> None:
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        found[number] = features().fit(TEXTS).transform(TEXTS)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in found.values():
        assert np.array_equal(rows, fitted.transform(TEXTS))
    assert len(found) == 2


# --- transform ----------------------------------------------------------------------------------------------


def test_transform_is_independent_of_batch_and_order(fitted: LatentFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*TEXTS[:30], "", "the soup " * 30, "soup", TEXTS[0]]
    rows = fitted.transform(texts)
    assert rows.shape == (34, 4) and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert np.array_equal(fitted.transform(texts), rows)
    order = np.random.default_rng(0).permutation(len(texts))
    assert np.allclose(fitted.transform([texts[i] for i in order]), rows[order], atol=1e-5)
    for i in (0, 30, 31, 32):
        assert np.allclose(fitted.transform([texts[i]]), rows[i : i + 1], atol=1e-5)
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 7)
    assert np.allclose(fitted.transform(texts), rows, atol=1e-5)
    assert rows.std(axis=0).min() > 1e-4, "the texts differ, and so must their codes"


def test_rows_are_posterior_means(fitted: LatentFeatures) -> None:
    assert np.allclose(fitted.transform(TEXTS[:9]), fitted.model_.encode(TEXTS[:9]).cpu().numpy(), atol=1e-5)
    assert not fitted.model_.training


def test_a_blank_text_has_the_code_of_a_sentence_without_words(fitted: LatentFeatures) -> None:
    from textvae.tasks.sentences import batch_of

    blank = fitted.transform(["", "  \n", TEXTS[0]])
    assert np.allclose(blank[0], blank[1], atol=1e-6) and not np.allclose(blank[0], blank[2], atol=1e-3)
    model = fitted.model_
    expected = model.posterior_of(batch_of([[]], model.device)).center.detach().cpu().numpy()
    assert np.allclose(blank[:1], expected, atol=1e-6)
    assert np.allclose(fitted.transform([""]), expected, atol=1e-6)


def test_a_long_text_is_cut_as_in_training_or_refused(fitted: LatentFeatures) -> None:
    most = fitted.model_.max_tokens
    long, cut = " ".join(["soup"] * (most + 9)), " ".join(["soup"] * most)
    assert np.allclose(fitted.transform([long]), fitted.transform([cut]), atol=1e-6)
    strict = copy.copy(fitted).set_params(overlong="error")
    assert np.allclose(strict.transform([cut]), fitted.transform([cut]), atol=1e-6)
    with pytest.raises(InputError, match=f"^Text 2 has {most + 9} tokens, more than the {most} .* overlong="):
        strict.transform([cut, long])


def accepted() -> Iterator[Any]:
    yield pytest.param(tuple, id="tuple")
    yield pytest.param(np.array, id="array of strings")
    yield pytest.param(lambda texts: np.array(texts, dtype=object), id="array of objects")
    yield pytest.param(iter, id="iterator")
    for dtype in ("object", "string", "category"):
        yield pytest.param(
            lambda texts, dtype=dtype: pytest.importorskip("pandas").Series(texts, dtype=dtype, index=range(3, 9)),
            id=f"Series of {dtype}",
        )


@pytest.mark.parametrize("wrap", list(accepted()))
def test_texts_come_in_every_one_dimensional_container(wrap: Any, fitted: LatentFeatures) -> None:
    assert np.array_equal(fitted.transform(wrap(TEXTS[:6])), fitted.transform(TEXTS[:6]))


def refused() -> Iterator[Any]:
    pandas = pytest.importorskip
    yield pytest.param(lambda: np.array([["a", "b"], ["c", "d"]]), r"shape \(2, 2\).*X\[:, 0\]", id="2-D array")
    yield pytest.param(lambda: np.array("a"), r"shape \(\)", id="0-D array")
    yield pytest.param(lambda: np.ones((3, 2)), r"shape \(3, 2\)", id="numbers")
    yield pytest.param(lambda: [["a"], ["b"]], "Text 1 is .*expected a string", id="list of lists")
    yield pytest.param(lambda: "a text", r"one string.*\[text\]", id="one string")
    yield pytest.param(lambda: b"a text", "list of texts", id="bytes")
    yield pytest.param(lambda: {"a": "text"}, "list of texts", id="dict")
    yield pytest.param(lambda: None, "list of texts", id="None")
    yield pytest.param(lambda: 3, "list of texts", id="a number")
    yield pytest.param(list, "No text was given", id="empty list")
    yield pytest.param(lambda: np.array([], dtype=object), "No text was given", id="empty array")
    yield pytest.param(lambda: np.empty((0, 3)), r"shape \(0, 3\)", id="empty table")
    yield pytest.param(lambda: ["a", None], r"Text 2 is missing \(None\)", id="None among texts")
    yield pytest.param(lambda: ["a", "b", float("nan")], "Text 3 is missing", id="NaN among texts")
    yield pytest.param(lambda: ["a", 3], "Text 2 is 3; expected a string", id="number among texts")
    yield pytest.param(lambda: ["a", "b\0c"], "Text 2 .*NUL", id="NUL")
    yield pytest.param(
        lambda: pandas("pandas").DataFrame({"said": ["a", "b"]}), r"shape \(2, 1\).*X\['said'\]", id="DataFrame"
    )
    yield pytest.param(lambda: pandas("pandas").Series(["a", None], dtype="string"), "Text 2 is missing", id="NA")


@pytest.mark.parametrize(("make", "message"), list(refused()))
def test_what_is_no_list_of_texts_is_refused(make: Any, message: str, fitted: LatentFeatures) -> None:
    for call in (features().fit, fitted.transform):
        with pytest.raises(ValueError, match=message) as caught:
            call(make())
        assert isinstance(caught.value, InputError) and isinstance(caught.value, TextVAEError)


def test_too_few_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="3 different texts; give at least 30"):
        features().fit(["a", "b", "c", "c", " "] * 20)


# --- inverse_transform, names -------------------------------------------------------------------------------


def test_codes_are_decoded(fitted: LatentFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = fitted.transform(TEXTS[:7])
    sentences = fitted.inverse_transform(codes)
    assert sentences == fitted.model_.decode(codes) and len(sentences) == 7
    assert all(isinstance(sentence, str) for sentence in sentences)
    monkeypatch.setattr(module, "CODES_AT_ONCE", 2)
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


def test_it_can_be_copied_and_sent_to_another_process(fitted: LatentFeatures) -> None:
    expected = fitted.transform(TEXTS[:5])
    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(copied.transform(TEXTS[:5]), expected) and copied.get_params() == fitted.get_params()


# --- saving -------------------------------------------------------------------------------------------------


def test_saved_without_pickle_and_loaded_it_is_the_same(fitted: LatentFeatures, tmp_path: Path) -> None:
    place = tmp_path / "saved"
    fitted.save(place)
    loaded = LatentFeatures.load(place)
    assert np.array_equal(loaded.transform(TEXTS), fitted.transform(TEXTS))
    assert loaded.get_params() == fitted.get_params() and loaded.seed_ == fitted.seed_ == 0
    assert loaded.card_ == fitted.card_ and loaded.card_["seed"] == 0
    assert loaded.inverse_transform(np.zeros((1, 4))) == fitted.inverse_transform(np.zeros((1, 4)))
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert {"config.json", "model.safetensors", ".textvae"} <= files
    assert not any(path.read_bytes().startswith((b"\x80", b"PK")) for path in place.rglob("*") if path.is_file())
    # The folder is a model's, and what takes a model takes it.
    model = textvae.TextVAE.from_pretrained(place)
    assert np.allclose(model.encode(TEXTS[:3]).numpy(), fitted.transform(TEXTS[:3]), atol=1e-5)
    assert np.array_equal(LatentFeatures(pretrained=place).fit(["a"]).transform(TEXTS), fitted.transform(TEXTS))
    # Saved over itself, and by the one that was loaded.
    loaded.set_params(latent_dim=7, out=tmp_path / "run").save(str(place))
    again = LatentFeatures.load(place)
    assert (again.latent_dim, again.out) == (7, str(tmp_path / "run"))
    assert again.card_ == fitted.card_


def test_a_drawn_seed_is_saved_as_a_number(tmp_path: Path) -> None:
    drawn = int(np.random.RandomState(3).randint(2**31 - 1))
    made = features(random_state=np.random.RandomState(3), latent_dim=np.int64(3)).fit(TEXTS)
    assert made.seed_ == drawn and made.card_["seed"] == drawn
    made.save(tmp_path / "saved")
    loaded = LatentFeatures.load(tmp_path / "saved")
    assert (loaded.random_state, loaded.seed_, loaded.latent_dim) == (drawn, drawn, 3)
    assert np.array_equal(loaded.transform(TEXTS), made.transform(TEXTS))


def test_a_save_leaves_other_files_alone(fitted: LatentFeatures, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(ModelError, match="textvae did not write"):
        fitted.save(tmp_path)
    assert (tmp_path / "config.json").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_what_save_has_not_written_is_not_loaded(fitted: LatentFeatures, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model"):
        LatentFeatures.load(tmp_path / "nothing")
    fitted.model_.save_pretrained(tmp_path / "model")
    with pytest.raises(ModelError, match=r"LatentFeatures\.save has not written; use it by LatentFeatures\(pretrained"):
        LatentFeatures.load(tmp_path / "model")
    for entry in ({"format_version": 2, "parameters": {}}, {"format_version": 1, "parameters": {"other": 1}}):
        fitted.model_.save_pretrained(tmp_path / "model", {"latent_features": entry})
        with pytest.raises(ModelError, match="another version"):
            LatentFeatures.load(tmp_path / "model")


def test_a_parameter_that_json_has_not_is_named(fitted: LatentFeatures, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="JSON has not"):
        copy.copy(fitted).set_params(verbose=object()).save(tmp_path / "saved")


# --- parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"minutes": -1}, "minutes is -1"),
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": "8"}, "latent_dim is '8'"),
        ({"settings": 3}, "settings is 3"),
        ({"settings": {3: 1}}, "settings is {3: 1}"),
        ({"settings": {"train.epohcs": 1}}, "epohcs"),
        ({"random_state": -1}, "random_state is -1"),
        ({"overlong": "cut"}, "overlong is 'cut'"),
        ({"pretrained": 3}, "pretrained is 3"),
        ({"out": 3}, "out is 3"),
    ],
)
def test_a_wrong_parameter_is_named_by_fit(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        features(**parameters).fit(TEXTS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"train.model.kind": "language_model"}, "no code"),
        ({"train.model.posterior": {"kind": "zero_mean"}}, "same for every text"),
    ],
)
def test_a_model_without_features_is_refused_before_it_is_trained(
    setting: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textvae.training.train", None)
    settings = {**SETTINGS, **setting}
    if "train.model.kind" in setting:
        settings = {name: value for name, value in settings.items() if name != "train.model.encoder"}
    with pytest.raises(ModelError, match=message):
        features(settings=settings, latent_dim=None).fit(TEXTS)


def test_latent_dim_and_seed_override_settings(tmp_path: Path) -> None:
    settings = {**SETTINGS, "train.model.latent_dim": 9, "seed": 5, "tokenize.max_tokens": 6}
    made = features(settings=settings, latent_dim=3, random_state=2).fit(TEXTS)
    assert (made.model_.latent_dim, made.seed_, made.card_["seed"], made.model_.max_tokens) == (3, 2, 2, 6)


def test_the_plan_is_never_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise equal fits would differ with the load of the machine."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("the machine was measured")

    monkeypatch.setattr("textvae.pipeline.trial.measure", fail)
    plans = []
    for name in ("a", "b"):
        features(out=tmp_path / name).fit(TEXTS)
        plans.append((tmp_path / name / "fit.toml").read_bytes())
    assert plans[0] == plans[1] and b"[train]" in plans[0] and b"[evaluate]" not in plans[0]


def test_minutes_decide_on_the_plan(tmp_path: Path) -> None:
    import tomllib

    texts, _ = topics(2000)
    epochs = []
    for minutes in (0.5, 2.0):
        out = tmp_path / str(minutes)
        # A setting that is wrong ends the fit when the plan has been made.
        with pytest.raises(ConfigError):
            features(minutes=minutes, out=out, settings={"train.model.latent_dim": 0}, latent_dim=None).fit(texts)
        epochs.append(tomllib.loads((out / "fit.toml").read_text())["train"]["epochs"])
    assert epochs[0] < epochs[1]


def test_a_folder_is_kept_and_gone_on_with(fitted: LatentFeatures, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    first = features(out=out).fit(TEXTS)
    assert np.array_equal(first.transform(TEXTS), fitted.transform(TEXTS))
    assert (out / "run" / "report.html").exists() and not (out / "run" / "evaluate").exists()
    made = (out / "run" / "train" / "manifest.json").stat().st_mtime_ns
    again = features(out=str(out)).fit(TEXTS)
    assert (out / "run" / "train" / "manifest.json").stat().st_mtime_ns == made
    assert np.array_equal(again.transform(TEXTS), first.transform(TEXTS))
    with pytest.raises(ValueError, match="contains other texts"):
        features(out=out).fit(TEXTS[:60])
    wider = features(out=out, latent_dim=6).fit(TEXTS)
    assert wider.transform(TEXTS).shape == (len(TEXTS), 6)


def test_without_a_folder_nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    made = features().fit(TEXTS)
    assert not list((tmp_path / "here").iterdir()) and not list((tmp_path / "temporary").iterdir())
    assert made.transform(TEXTS[:2]).shape == (2, 4)
    with pytest.raises(ConfigError):
        features(settings={"train.epochs": 0}).fit(TEXTS)
    assert not list((tmp_path / "temporary").iterdir())


def test_it_is_silent_unless_told_to_speak(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from textvae.training import loop

    drawn: list[bool] = []
    bar = loop.ProgressBar

    def watched(*arguments: Any, enabled: bool, **more: Any) -> Any:
        drawn.append(enabled)
        return bar(*arguments, enabled=False, **more)

    monkeypatch.setattr(loop, "ProgressBar", watched)
    features().fit(TEXTS)
    assert capsys.readouterr() == ("", "")
    features(verbose=True).fit(TEXTS)
    assert "train: finished" in capsys.readouterr().err
    assert drawn == [False, True]


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


# --- around it ----------------------------------------------------------------------------------------------


def test_errors_of_texts_are_errors_of_both_kinds() -> None:
    assert issubclass(InputError, DataError) and issubclass(InputError, ValueError)


def test_the_example_of_the_page_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "sklearn.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    example = doctest.DocTestParser().get_doctest(blocks[0], {}, "docs/sklearn.md", str(page), 0)
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_parameters_of_a_saved_estimator_are_in_the_card(fitted: LatentFeatures, tmp_path: Path) -> None:
    fitted.save(tmp_path / "saved")
    card = json.loads((tmp_path / "saved" / "config.json").read_text())["card"]
    assert card["latent_features"]["parameters"]["settings"] == SETTINGS
