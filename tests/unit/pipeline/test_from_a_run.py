"""In Python a model is found by what the commands take: a run, a model folder, or a name on the hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from textvae.disk import find_model, is_hub_name
from textvae.errors import ConfigError, ModelError, TextVAEError
from textvae.models import LanguageModel, SemiSupervisedTextVAE, TextModel, TextVAE, load_classifier, load_model
from textvae.pipeline.run_folder import classifier_of, model_of

RUN = Path(__file__).resolve().parents[2] / "fixtures" / "format_1" / "run"
TRAINED, CLASSIFIER = RUN / "train" / "model", RUN / "classify" / "model"


def same(one: TextModel, other: TextModel) -> bool:
    theirs = other.state_dict()
    return type(one) is type(other) and all(
        torch.equal(value, theirs[name]) for name, value in one.state_dict().items()
    )


@pytest.mark.parametrize("given", [RUN, str(RUN), TRAINED, f"{RUN}/"], ids=["run", "text", "model", "slash"])
def test_the_trained_model(given: str | Path) -> None:
    expected = load_model(TRAINED)
    for found in (TextVAE.from_pretrained(given), load_model(given), model_of(given).cpu()):
        assert same(found, expected) and not found.training


@pytest.mark.parametrize("given", [RUN, TRAINED, CLASSIFIER, RUN / "classify" / "model"], ids=str)
def test_the_classifier(given: Path) -> None:
    """Of a run, of the model folder beside it, or the classifier's own."""
    expected = load_model(CLASSIFIER)
    for found in (SemiSupervisedTextVAE.from_pretrained(given), load_classifier(given), classifier_of(given).cpu()):
        assert same(found, expected)


def test_a_classifier_alone_is_one(tmp_path: Path) -> None:
    shutil.copytree(CLASSIFIER, tmp_path / "mine")
    assert same(load_classifier(tmp_path / "mine"), load_model(CLASSIFIER))
    shutil.copytree(TRAINED, tmp_path / "other")
    for load in (load_classifier, SemiSupervisedTextVAE.from_pretrained):
        with pytest.raises(ModelError, match=r"other has no finished classify stage; add a \[classify\] table"):
            load(tmp_path / "other")


def test_a_run_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(RUN, tmp_path / "runs" / "verses")
    monkeypatch.chdir(tmp_path)
    assert same(TextVAE.from_pretrained("runs/verses"), load_model(TRAINED))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert same(TextVAE.from_pretrained("~/runs/verses"), load_model(TRAINED))


def test_another_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="holds a 'text_vae' model, expected 'language_model'; use"):
        LanguageModel.from_pretrained(RUN)
    with pytest.raises(ModelError, match="holds a 'semi_supervised' model, expected 'text_vae'; use"):
        TextVAE.from_pretrained(CLASSIFIER)


@pytest.mark.parametrize("given", ["runs/none", "none", "./none/none", "x" * 300, "a\0b", "/dev/zero", "tests/unit"])
def test_what_is_no_run_is_refused_as_by_the_commands(given: str) -> None:
    with pytest.raises(TextVAEError) as told:
        find_model(given)
    with pytest.raises(ModelError) as caught:
        load_model(given)
    assert str(caught.value) == str(told.value)
    for load in (load_classifier, classifier_of):
        with pytest.raises(ModelError) as caught:
            load(given)
        assert str(caught.value) == str(told.value), "a run that is not there needs no [classify] table"


def test_an_unfinished_run_is_said_to_be_one(tmp_path: Path) -> None:
    shutil.copytree(RUN.parent / "interrupted", tmp_path / "run")
    with pytest.raises(ModelError, match="run has no finished train stage yet; finish it with `textvae run`"):
        load_model(tmp_path / "run")


def test_a_folder_has_no_revision() -> None:
    with pytest.raises(ConfigError, match="revision is 'main', and only models on the Hugging Face hub have revisions"):
        load_model(RUN, revision="main")


def test_a_name_is_one_on_the_hub_only_where_nothing_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_hub_name("owner/verses") and is_hub_name(Path("owner/verses"))
    assert find_model("owner/verses") == Path("owner/verses")
    (tmp_path / "owner" / "verses").mkdir(parents=True)
    assert not is_hub_name("owner/verses")
    for name in ("verses", "a/b/c", "/a", "a/", "./a", "~/a", "runs/a", "", "/"):
        assert not is_hub_name(name)
