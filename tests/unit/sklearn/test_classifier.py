"""What `TextVAEClassifier` alone does: classes of every type, probabilities, and hard cases of labels."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

import textvae
from tests.tiny_backbone import tiny_backbone
from tests.unit.sklearn.estimators import CLASSIFY, CODED, LABELS, TEXTS, classifier, topics
from textvae.errors import ConfigError, ModelError
from textvae.sklearn import InputError, TextVAEClassifier
from textvae.text.tokenized import TokenizedCorpus


def learning(**parameters: Any) -> TextVAEClassifier:
    """A classifier that learns the topics from some dozens of labels in two seconds."""
    return classifier(settings={**CLASSIFY, "train.epochs": 5, "classify.train_encoder": True}, **parameters)


def upper(texts: Any) -> list[str]:
    return [text.lower() for text in texts]


# --- predictions --------------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_model(fitted_classifier: TextVAEClassifier) -> None:
    made = fitted_classifier
    stated = made.predict_proba(TEXTS)
    assert stated.shape == (len(TEXTS), 2) and stated.dtype == np.float64
    assert np.allclose(stated.sum(-1), 1, atol=1e-12) and (stated > 0).all()
    assert np.allclose(np.log(stated), made.predict_log_proba(TEXTS), atol=1e-9)
    assert made.classes_.tolist() == [0, 1] and made.model_.label_names == ("0", "1")
    assert np.allclose(stated, made.model_.predict(TEXTS).numpy(), atol=1e-5)
    assert np.array_equal(made.predict(TEXTS), made.classes_[stated.argmax(-1)])
    assert is_classifier(made) and made.card_["method"] == "semi_supervised"


def test_it_learns_from_few_labels() -> None:
    texts, labels = topics(500)
    few = [label if row % 8 == 0 else None for row, label in enumerate(labels[:300])]
    made = learning().fit(texts[:300], few)
    assert made.score(texts[300:], labels[300:]) > 0.95
    assert set(made.predict(texts[300:])) == {"in", "out"}


@pytest.mark.parametrize("method", ["supervised", "probe"])
def test_the_other_methods_learn_too(method: str, fitted_classifier: TextVAEClassifier) -> None:
    made = classifier(method=method, settings={**CLASSIFY, "classify.method": "semi_supervised"}).fit(TEXTS, CODED)
    assert made.card_["method"] == method, "the parameter overrides the setting"
    assert made.score(TEXTS, [int(label == "in") for label in LABELS]) > 0.8
    assert not np.allclose(made.predict_proba(TEXTS), fitted_classifier.predict_proba(TEXTS))


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([10, 9], id="numbers that sort otherwise as strings"),
        pytest.param([True, False], id="truth values"),
        pytest.param([1.0, 0.0], id="floats"),
        pytest.param([" in", "in"], id="names that a reader would change"),
        pytest.param(["NA", "-"], id="names that mean no label elsewhere"),
    ],
)
@pytest.mark.parametrize(
    "wrap", [list, np.array, lambda y: np.array(y, dtype=object)], ids=["list", "array", "objects"]
)
def test_classes_come_back_in_their_type(names: list[Any], wrap: Any, tmp_path: Path) -> None:
    y = [names[label == "in"] for label in LABELS]
    made = classifier(method="probe").fit(TEXTS, wrap(y))
    assert made.classes_.tolist() == sorted(names)
    found = made.predict(TEXTS)
    assert found.dtype == made.classes_.dtype and set(found.tolist()) <= set(names)
    assert accuracy_score(y, found.tolist()) > 0.8, "the columns are in the order of the classes"
    assert sorted(made.model_.label_names) == sorted(map(str, names))
    made.save(tmp_path / "saved")
    loaded = TextVAEClassifier.load(tmp_path / "saved")
    assert loaded.classes_.dtype == made.classes_.dtype and np.array_equal(loaded.classes_, made.classes_)
    assert np.array_equal(loaded.predict(TEXTS), found)
    assert np.array_equal(loaded.predict_proba(TEXTS), made.predict_proba(TEXTS))
    model = textvae.SemiSupervisedTextVAE.from_pretrained(tmp_path / "saved")
    assert model.classify(TEXTS[:9])[8].label == str(found[8].item() if hasattr(found[8], "item") else found[8])


def test_classes_that_are_not_those_of_the_model_are_not_loaded(
    fitted_classifier: TextVAEClassifier, tmp_path: Path
) -> None:
    entry = {"format_version": 1, "parameters": {}, "classes": [0, 1], "type_of_classes": "<i8"}
    for wrong in (
        {"classes": [0, 2]},
        {"classes": "01"},
        {"classes": None},
        {"type_of_classes": "M8[D]"},
        {"classes": [[0], [1]]},
    ):
        fitted_classifier.model_.save_pretrained(tmp_path / "model", {"classifier": {**entry, **wrong}})
        with pytest.raises(ModelError, match=r"not those of its model.*SemiSupervisedTextVAE\.from_pretrained"):
            TextVAEClassifier.load(tmp_path / "model")


# --- score --------------------------------------------------------------------------------------------------


def test_a_score_leaves_out_texts_without_a_label(fitted_classifier: TextVAEClassifier) -> None:
    made = fitted_classifier
    labelled = [row for row, code in enumerate(CODED) if code >= 0]
    hits = made.predict([TEXTS[row] for row in labelled]) == np.array(CODED)[labelled]
    assert made.score(TEXTS, CODED) == pytest.approx(hits.mean())
    weights = np.arange(len(TEXTS))
    expected = np.average(hits, weights=weights[labelled])
    assert made.score(TEXTS, CODED, sample_weight=weights) == pytest.approx(expected)
    assert 0 <= made.score(TEXTS, [5] * len(TEXTS)) == 0, "a class that is unknown is wrong"
    with pytest.raises(InputError, match="nothing to score"):
        made.score(TEXTS, [-1] * len(TEXTS))
    with pytest.raises(InputError, match="X has 120 texts, and y has 1 labels"):
        made.score(TEXTS, [1])


# --- with other estimators ----------------------------------------------------------------------------------


def test_a_pipeline_and_cross_validation_over_texts_without_labels() -> None:
    pipeline = make_pipeline(FunctionTransformer(upper), classifier(method="probe"))
    made = pipeline.fit(TEXTS, CODED)
    assert made.predict(TEXTS[:3]).shape == (3,) and made.classes_.tolist() == [0, 1]
    # Of -1 scikit-learn's folds have a share each, and the score leaves it out.
    scores = cross_val_score(pipeline, TEXTS, CODED, cv=2, error_score="raise")
    assert scores.shape == (2,) and scores.min() > 0.5
    named = [None if code < 0 else LABELS[row] for row, code in enumerate(CODED)]
    folds = KFold(2, shuffle=True, random_state=0)
    assert cross_val_score(pipeline, TEXTS, named, cv=folds, error_score="raise").min() > 0.5


@pytest.mark.slow
def test_a_grid_search_in_two_processes() -> None:
    texts, labels = topics(200)
    pipeline = Pipeline([("lower", FunctionTransformer(upper)), ("classify", classifier())])
    grid = {"classify__method": ["supervised", "probe"], "classify__settings": [CLASSIFY]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(texts, labels)
    assert search.best_params_["classify__method"] in ("supervised", "probe")
    assert search.score(texts, labels) > 0.9


# --- which labels are learned -------------------------------------------------------------------------------


def learned(out: Path) -> TokenizedCorpus:
    """What the classifier was trained on."""
    return TokenizedCorpus(out / "run" / "classify" / "all.arrow")


def test_every_label_is_looked_at(tmp_path: Path) -> None:
    """Also where classes are rare, and where validation has to have labelled texts."""
    y = ["rare" if row < 2 else label for row, label in enumerate(LABELS)]
    made = classifier(method="probe", out=tmp_path).fit(TEXTS, y)
    assert made.classes_.tolist() == ["in", "out", "rare"]
    corpus = learned(tmp_path)
    counts = np.bincount(corpus.labels + 1, minlength=4).tolist()
    assert counts == [0, *(y.count(name) for name in made.classes_)]
    valid = TokenizedCorpus(tmp_path / "run" / "tokenize" / "valid.arrow")
    different = {valid.text(row) for row in range(len(valid))}
    assert len(different) == round(0.1 * len(set(TEXTS))) and (valid.labels >= 0).all()
    results = (tmp_path / "run" / "classify" / "results.json").read_text()
    assert '"labels": 120' in results and "accuracy" not in results


def test_settings_say_how_many_labels_are_looked_at(tmp_path: Path) -> None:
    settings = {**CLASSIFY, "classify.labels": 20, "classify.held_out": 0.5}
    classifier(method="probe", settings=settings, out=tmp_path).fit(TEXTS, CODED)
    results = (tmp_path / "run" / "classify" / "results.json").read_text()
    assert '"labels": 20' in results and '"held_out_labels": 10' in results
    with pytest.raises(ConfigError, match=r"classify\.labels is 50, but only 40 training sentences have a label"):
        classifier(method="probe", settings={**CLASSIFY, "classify.labels": 50}).fit(TEXTS, CODED)


def test_labelled_texts_are_kept_from_validation(tmp_path: Path) -> None:
    classifier(out=tmp_path).fit(TEXTS, CODED)
    tokenized = tmp_path / "run" / "tokenize"
    train, valid = TokenizedCorpus(tokenized / "train.arrow"), TokenizedCorpus(tokenized / "valid.arrow")
    assert (train.labels >= 0).sum() == 40 and (valid.labels >= 0).sum() == 0
    assert len(learned(tmp_path)) == len(TEXTS) and len(TokenizedCorpus(tokenized / "test.arrow")) == 1


# --- hard cases ---------------------------------------------------------------------------------------------


def test_without_a_text_that_has_no_label_it_learns_from_the_others() -> None:
    assert classifier().fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.8


def test_one_label_of_each_class_is_enough() -> None:
    y = [None] * len(TEXTS)
    for name in ("in", "out"):
        y[LABELS.index(name)] = name
    made = classifier().fit(TEXTS, y)
    assert np.isfinite(made.predict_log_proba(TEXTS)).all() and made.classes_.tolist() == ["in", "out"]


def test_blank_texts_are_left_out_with_their_labels(fitted_classifier: TextVAEClassifier) -> None:
    made = classifier().fit(["", *TEXTS, " \n"], [1, *CODED, 0])
    assert np.allclose(made.predict_proba(TEXTS), fitted_classifier.predict_proba(TEXTS), atol=1e-6)
    with pytest.raises(InputError, match="All texts of the class 5 are blank"):
        classifier().fit(["", *TEXTS], [5, *CODED])


def test_a_hundred_and_fifty_classes(tmp_path: Path) -> None:
    texts = [f"{word} number {n} {text}" for n in range(150) for word, text in zip("ab", TEXTS, strict=False)]
    y = [n for n in range(150) for _ in "ab"]
    settings = {**CLASSIFY, "classify.epochs": 1, "classify.words.topics": []}
    for method in ("probe", "semi_supervised"):
        made = classifier(method=method, settings=settings, out=tmp_path).fit(texts, y)
        assert made.classes_.tolist() == list(range(150))
        stated = made.predict_proba(texts[:4])
        assert stated.shape == (4, 150) and np.allclose(stated.sum(-1), 1, atol=1e-12)
        assert method != "probe" or made.score(texts, y) > 0.5


def test_the_plan_looks_at_all_labels_and_trains_no_bound(tmp_path: Path) -> None:
    """However many labels and classes there are."""
    texts = [f"{text} {row}" for row, text in enumerate(TEXTS * 30)]
    tables = []
    for labelled, classes in ((60, 2), (3600, 2), (3600, 60)):
        y = [row % classes if row < labelled else -1 for row in range(len(texts))]
        out = tmp_path / f"{labelled}-{classes}"
        with pytest.raises(ConfigError):
            classifier(minutes=3.0, out=out, settings={"train.model.latent_dim": 0}).fit(texts, y)
        tables.append(tomllib.loads((out / "fit.toml").read_text())["classify"])
    assert [table["epochs"] for table in tables] == [0, 0, 0]
    assert all(table["labels"] == "all" and table["with_validation"] for table in tables)


# --- parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "best"}, "method is 'best'; expected 'semi_supervised', 'supervised' or 'probe'"),
        ({"encoder": 3}, "encoder is 3"),
        ({"settings": {"classify.labels": 1}}, "classify.labels"),
        ({"settings": {"classify.labels": "most"}}, "classify.labels"),
    ],
)
def test_a_wrong_parameter_is_named_by_fit(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        classifier(**parameters).fit(TEXTS, CODED)


def test_wrong_labels_are_found_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.pipeline.fitting.fit_into", None)
    for y in (None, LABELS[:-1], ["in"] * 120, [*LABELS[:-1], 3]):
        with pytest.raises(InputError):
            classifier().fit(TEXTS, y)


def test_a_pretrained_encoder_is_that_of_the_model(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    settings = {name: value for name, value in CLASSIFY.items() if name != "train.model.encoder"}
    first = {**settings, "train.model.encoder.pooling": "first"}
    made = classifier(encoder=tiny_backbone(), settings=first, method="probe").fit(TEXTS, CODED)
    encoder = made.model_.config.encoder_settings
    assert encoder is not None and encoder.kind == "pretrained"
    assert encoder.model_dump()["pooling"] == "first", "settings go beyond the parameter"
    made.save(tmp_path / "saved")
    loaded = TextVAEClassifier.load(tmp_path / "saved")
    assert loaded.encoder == tiny_backbone()
    assert np.allclose(loaded.predict_proba(TEXTS), made.predict_proba(TEXTS), atol=1e-5)


def test_copies_of_a_fitted_one_have_their_own_classes(fitted_classifier: TextVAEClassifier) -> None:
    copied = copy.deepcopy(fitted_classifier)
    copied.classes_[0] = 7
    assert fitted_classifier.classes_.tolist() == [0, 1]
