"""Both estimators keep scikit-learn's contract. `check_estimator` runs hardly anything for texts, so its checks are
called by name where they need no table of numbers, and written out for texts where they do."""

from __future__ import annotations

import copy
import doctest
import json
import pickle
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
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from tests.unit.sklearn.estimators import CASES, CODED, TEXTS, Case, topics
from textvae.errors import ConfigError, DataError, ModelError, TextVAEError
from textvae.models import load_model
from textvae.sklearn import InputError

# --- scikit-learn's own checks ------------------------------------------------------------------------------


CHECKS = [
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
    "check_n_features_in_after_fitting",
]
OF_TRANSFORMERS = [
    "check_transformers_unfitted",
    "check_get_feature_names_out_error",
    "check_transformer_get_feature_names_out",
    "check_set_output_transform",
    "check_transformer_n_iter",
]


@pytest.mark.parametrize("name", [*CHECKS, *OF_TRANSFORMERS])
def test_a_check_of_scikit_learn_that_needs_no_numbers(name: str, case: Case) -> None:
    if not hasattr(estimator_checks, name):
        pytest.skip(f"this version of scikit-learn has no {name}")
    if name in OF_TRANSFORMERS and not hasattr(case.kind, "transform"):
        pytest.skip("it is no transformer")
    getattr(estimator_checks, name)(case.kind.__name__, case.make())


def test_check_estimator_itself(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it can test little with texts
        estimator_checks.check_estimator(case.kind())


def test_parameters_are_stored_as_they_are(case: Case) -> None:
    settings = {"train.epochs": 3}
    made = case.kind(settings=settings, minutes=3)
    assert made.settings is settings and set(vars(made)) == set(made.get_params())
    assert made.set_params(minutes=7) is made and made.get_params()["minutes"] == 7
    copied = clone(made)
    assert copied.get_params() == made.get_params() and copied.settings is not settings
    assert repr(case.kind(minutes=7)) == f"{case.kind.__name__}(minutes=7)"


def test_fit_returns_itself_and_leaves_parameters_texts_and_labels_alone(case: Case) -> None:
    texts, labels = np.array(TEXTS, dtype=object), np.array(CODED)
    for array in (texts, labels):
        array.setflags(write=False)
    made = case.make()
    before, given = copy.deepcopy(made.get_params()), texts.copy()
    assert made.fit(texts, labels) is made
    assert made.get_params() == before and np.array_equal(texts, given) and labels.tolist() == CODED
    assert before["settings"] == case.settings
    check_is_fitted(made)
    public = {name for name in vars(made) if not name.startswith("_")}
    own = {"classes_"} if case.stage == "classify" else set()
    assert public - set(before) == {"model_", "card_", "seed_"} | own
    case.rows(made, texts)
    assert set(vars(made)) >= public and made.get_params() == before


CALLS: dict[str, dict[str, list[Any]]] = {
    "features": {"transform": [TEXTS], "inverse_transform": [[[0.0] * 4]], "get_feature_names_out": []},
    "classifier": {"predict": [TEXTS], "predict_proba": [TEXTS], "predict_log_proba": [TEXTS], "score": [TEXTS, CODED]},
}


@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in CALLS.items() for call in (*calls, "save")])
def test_nothing_works_before_fit(name: str, call: str, tmp_path: Path) -> None:
    arguments = CALLS[name].get(call, [tmp_path / "x"])
    with pytest.raises(NotFittedError):
        getattr(CASES[name].make(), call)(*arguments)


def test_equal_fits_from_equal_seeds(case: Case, done: Any) -> None:
    expected = case.rows(done, TEXTS)
    assert np.array_equal(case.rows(clone(done).fit(TEXTS, CODED), TEXTS), expected)
    again = case.make(random_state=1)
    other = case.rows(again.fit(TEXTS, CODED), TEXTS)
    assert not np.allclose(other, expected)
    # Fitted again with the first seed, it forgets the other fit.
    assert np.array_equal(case.rows(again.set_params(random_state=0).fit(TEXTS, CODED), TEXTS), expected)


def test_fits_in_threads_are_those_made_one_by_one(case: Case, done: Any) -> None:
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        found[number] = case.rows(case.fit(), TEXTS)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in found.values():
        assert np.array_equal(rows, case.rows(done, TEXTS))
    assert len(found) == 2


# --- texts --------------------------------------------------------------------------------------------------


def test_a_row_is_independent_of_batch_and_order(case: Case, done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*TEXTS[:30], "", "the soup " * 30, "soup", TEXTS[0]]
    rows = case.rows(done, texts)
    assert len(rows) == 34 and np.isfinite(rows).all()
    assert np.array_equal(case.rows(done, texts), rows)
    order = np.random.default_rng(0).permutation(len(texts))
    assert np.allclose(case.rows(done, [texts[i] for i in order]), rows[order], atol=1e-5)
    for i in (0, 30, 31, 32):
        assert np.allclose(case.rows(done, [texts[i]]), rows[i : i + 1], atol=1e-5)
    monkeypatch.setattr("textvae.sklearn.text_estimator.TEXTS_AT_ONCE", 7)
    assert np.allclose(case.rows(done, texts), rows, atol=1e-5)
    assert rows.std(axis=0).min() > 1e-4, "the texts differ, and so must their rows"


def test_a_blank_text_is_a_sentence_without_words(case: Case, done: Any) -> None:
    blank = case.rows(done, ["", "  \n", TEXTS[0]])
    assert np.allclose(blank[0], blank[1], atol=1e-6) and not np.allclose(blank[0], blank[2], atol=1e-6)
    assert np.allclose(case.rows(done, [""]), blank[:1], atol=1e-6)


def test_a_long_text_is_cut_as_in_training_or_refused(case: Case, done: Any) -> None:
    most = done.model_.max_tokens
    long, cut = " ".join(["soup"] * (most + 9)), " ".join(["soup"] * most)
    assert np.allclose(case.rows(done, [long]), case.rows(done, [cut]), atol=1e-6)
    strict = copy.copy(done).set_params(overlong="error")
    assert np.allclose(case.rows(strict, [cut]), case.rows(done, [cut]), atol=1e-6)
    with pytest.raises(InputError, match=f"^Text 2 has {most + 9} tokens, more than the {most} .* overlong="):
        case.rows(strict, [cut, long])


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
def test_texts_come_in_every_one_dimensional_container(wrap: Any, case: Case, done: Any) -> None:
    assert np.array_equal(case.rows(done, wrap(TEXTS[:6])), case.rows(done, TEXTS[:6]))


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
def test_what_is_no_list_of_texts_is_refused(make: Any, message: str, case: Case, done: Any) -> None:
    for call in (lambda X: case.make().fit(X, CODED), getattr(done, case.answer)):
        with pytest.raises(ValueError, match=message) as caught:
            call(make())
        assert isinstance(caught.value, InputError) and isinstance(caught.value, TextVAEError)


def test_too_few_texts_are_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="3 different texts; give at least 30"):
        case.fit(["a", "b", "c", "c", " "] * 24)


# --- copies, saving -----------------------------------------------------------------------------------------


def test_it_can_be_copied_and_sent_to_another_process(case: Case, done: Any) -> None:
    expected = case.rows(done, TEXTS[:5])
    for copied in (copy.deepcopy(done), pickle.loads(pickle.dumps(done))):
        assert np.array_equal(case.rows(copied, TEXTS[:5]), expected) and copied.get_params() == done.get_params()


def test_saved_without_pickle_and_loaded_it_is_the_same(case: Case, done: Any, tmp_path: Path) -> None:
    place = tmp_path / "saved"
    done.save(place)
    loaded = case.kind.load(place)
    assert type(loaded) is case.kind and np.array_equal(case.rows(loaded, TEXTS), case.rows(done, TEXTS))
    assert loaded.get_params() == done.get_params() and loaded.seed_ == done.seed_ == 0
    assert loaded.card_ == done.card_ and loaded.card_["seed"] == 0
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert {"config.json", "model.safetensors", ".textvae"} <= files
    assert not any(path.read_bytes().startswith((b"\x80", b"PK")) for path in place.rglob("*") if path.is_file())
    # The folder is a model's, and what takes a model takes it.
    model = load_model(place)
    assert type(model) is type(done.model_) and model.label_names == done.model_.label_names
    # Saved over itself, and by the one that was loaded.
    loaded.set_params(minutes=7, out=tmp_path / "run").save(str(place))
    again = case.kind.load(place)
    assert (again.minutes, again.out) == (7, str(tmp_path / "run"))
    assert again.card_ == done.card_


def test_a_drawn_seed_is_saved_as_a_number(case: Case, tmp_path: Path) -> None:
    drawn = int(np.random.RandomState(3).randint(2**31 - 1))
    made = case.fit(random_state=np.random.RandomState(3), minutes=np.int64(1))
    assert made.seed_ == drawn and made.card_["seed"] == drawn
    made.save(tmp_path / "saved")
    loaded = case.kind.load(tmp_path / "saved")
    assert (loaded.random_state, loaded.seed_, loaded.minutes) == (drawn, drawn, 1)
    assert np.array_equal(case.rows(loaded, TEXTS), case.rows(made, TEXTS))


def test_a_save_leaves_other_files_alone(done: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(ModelError, match="textvae did not write"):
        done.save(tmp_path)
    assert (tmp_path / "config.json").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_what_save_has_not_written_is_not_loaded(case: Case, done: Any, tmp_path: Path) -> None:
    name, instead = case.kind.__name__, re.escape(case.kind.use_instead)
    with pytest.raises(ModelError, match="holds no model"):
        case.kind.load(tmp_path / "nothing")
    done.model_.save_pretrained(tmp_path / "model")
    with pytest.raises(ModelError, match=rf"{name}\.save has not written; use it by {instead}"):
        case.kind.load(tmp_path / "model")
    for entry in ({"format_version": 2, "parameters": {}}, {"format_version": 1, "parameters": {"other": 1}}):
        done.model_.save_pretrained(tmp_path / "model", {case.kind.entry: entry})
        with pytest.raises(ModelError, match="another version"):
            case.kind.load(tmp_path / "model")


def test_a_parameter_that_json_has_not_is_named(done: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="JSON has not"):
        copy.copy(done).set_params(verbose=object()).save(tmp_path / "saved")


def test_the_parameters_of_a_saved_estimator_are_in_the_card(case: Case, done: Any, tmp_path: Path) -> None:
    done.save(tmp_path / "saved")
    card = json.loads((tmp_path / "saved" / "config.json").read_text())["card"]
    assert card[case.kind.entry]["parameters"]["settings"] == case.settings


# --- parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"minutes": -1}, "minutes is -1"),
        ({"settings": 3}, "settings is 3"),
        ({"settings": {3: 1}}, "settings is {3: 1}"),
        ({"settings": {"train.epohcs": 1}}, "epohcs"),
        ({"random_state": -1}, "random_state is -1"),
        ({"overlong": "cut"}, "overlong is 'cut'"),
        ({"out": 3}, "out is 3"),
    ],
)
def test_a_wrong_parameter_is_named_by_fit(parameters: dict[str, Any], message: str, case: Case) -> None:
    with pytest.raises(ConfigError, match=message):
        case.fit(**parameters)


def test_a_model_without_a_code_is_refused_before_it_is_trained(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.training.train", None)
    settings = {name: value for name, value in case.settings.items() if not name.startswith("train.model.")}
    plain = {"latent_dim": None} if case.stage == "train" else {}
    with pytest.raises(ModelError, match="no code"):
        case.fit(settings={**settings, "train.model.kind": "language_model"}, **plain)


def test_the_plan_is_never_measured(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise equal fits would differ with the load of the machine."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("the machine was measured")

    monkeypatch.setattr("textvae.pipeline.trial.measure", fail)
    plans = []
    for name in ("a", "b"):
        case.fit(out=tmp_path / name)
        plans.append((tmp_path / name / "fit.toml").read_bytes())
    assert plans[0] == plans[1] and b"[train]" in plans[0] and b"[evaluate]" not in plans[0]
    assert (b"[classify]" in plans[0]) == (case.stage == "classify")


def test_minutes_decide_on_the_plan(case: Case, tmp_path: Path) -> None:
    import tomllib

    texts, _ = topics(2000)
    epochs = []
    for minutes in (0.5, 2.0):
        out = tmp_path / str(minutes)
        # A setting that is wrong ends the fit when the plan has been made.
        with pytest.raises(ConfigError):
            case.fit(texts, minutes=minutes, out=out, settings={"train.model.posterior": {"kind": "none"}})
        epochs.append(tomllib.loads((out / "fit.toml").read_text())["train"]["epochs"])
    assert epochs[0] < epochs[1]


def test_a_folder_is_kept_and_gone_on_with(case: Case, done: Any, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    first = case.fit(out=out)
    assert np.array_equal(case.rows(first, TEXTS), case.rows(done, TEXTS))
    assert (out / "run" / "report.html").exists() and not (out / "run" / "evaluate").exists()
    manifest = out / "run" / case.stage / "manifest.json"
    made = manifest.stat().st_mtime_ns
    again = case.fit(out=str(out))
    assert manifest.stat().st_mtime_ns == made
    assert np.array_equal(case.rows(again, TEXTS), case.rows(first, TEXTS))
    with pytest.raises(ValueError, match="contains other texts"):
        case.fit(TEXTS[:60], out=out)
    other = case.fit(out=out, random_state=1)
    assert not np.allclose(case.rows(other, TEXTS), case.rows(first, TEXTS))


def test_without_a_folder_nothing_is_left(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    made = case.fit()
    assert not list((tmp_path / "here").iterdir()) and not list((tmp_path / "temporary").iterdir())
    assert len(case.rows(made, TEXTS[:2])) == 2
    with pytest.raises(ConfigError):
        case.fit(settings={"train.epochs": 0})
    assert not list((tmp_path / "temporary").iterdir())


def test_it_is_silent_unless_told_to_speak(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from textvae.training import loop

    drawn: list[bool] = []
    bar = loop.ProgressBar

    def watched(*arguments: Any, enabled: bool, **more: Any) -> Any:
        drawn.append(enabled)
        return bar(*arguments, enabled=False, **more)

    monkeypatch.setattr(loop, "ProgressBar", watched)
    case.fit()
    assert capsys.readouterr() == ("", "")
    case.fit(verbose=True)
    assert "train: finished" in capsys.readouterr().err
    assert drawn == [False, True] if case.stage == "train" else [False] * 2 + [True] * 2


# --- around it ----------------------------------------------------------------------------------------------


def test_errors_of_texts_are_errors_of_both_kinds() -> None:
    assert issubclass(InputError, DataError) and issubclass(InputError, ValueError)


def test_the_examples_of_the_page_run() -> None:
    page = Path(__file__).parents[3] / "docs" / "sklearn.md"
    blocks = re.findall(r"```python\n(>>> .*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == len(CASES)
    names: dict[str, Any] = {}
    for block in blocks:
        example = doctest.DocTestParser().get_doctest(block, names, "docs/sklearn.md", str(page), 0)
        assert len(example.examples) > 5
        assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
        names = example.globs
