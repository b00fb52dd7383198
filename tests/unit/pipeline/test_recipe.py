"""Recipes: reading, settings laid over them, and where they are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from textvae.config import Config, parse
from textvae.disk import installed, names_in
from textvae.errors import ConfigError
from textvae.pipeline.locate import find_recipe
from textvae.pipeline.new import to_toml
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.settings import apply_settings
from textvae.training import TrainConfig

TABLES = {"name": "mine", "corpus": "bible", "tokenize": {}, "train": {"epochs": 3}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("train.epochs=2", 2),
        ("train.epochs = 2", 2),
        ("train.epochs=2.5", 2.5),
        ("train.epochs=true", True),
        ("train.epochs=[1, 2]", [1, 2]),
        ("train.epochs='two'", "two"),
        ("train.epochs=two words", "two words"),
        ("train.epochs=a=b", "a=b"),
        ("train.epochs=2026-01-01", "2026-01-01"),
        ("train.epochs=", ""),
    ],
)
def test_values_are_toml_or_bare_strings(text: str, value: object) -> None:
    assert apply_settings(TABLES, [text])["train"]["epochs"] == value
    assert TABLES["train"]["epochs"] == 3  # type: ignore[index]


@pytest.mark.parametrize("text", ["train.epochs", "=2", "train..epochs=2"])
def test_a_setting_without_a_name_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected NAME=VALUE"):
        apply_settings(TABLES, [text])


def test_a_setting_below_a_plain_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'train\.epochs' is 3, not a table"):
        apply_settings(TABLES, ["train.epochs.more=2"])


def test_corpus_fields_can_be_set_and_the_root_is_seen_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe(TABLES, ["corpus.root=data", "corpus.limit.train=7"])
    assert recipe.card == ("bible", {"root": str(tmp_path / "data"), "limit": {"train": 7}})


@pytest.mark.parametrize(
    ("setting", "said"),
    [("evalute.samples=3", "did you mean 'evaluate'"), ("sed=3", "did you mean 'seed'"),
     ("train=3", "expected a table"),
     ("name=a/b", "give a name of letters and digits"), ("seed=x", "'seed'")],
)  # fmt: skip
def test_wrong_settings_are_explained(setting: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_recipe(TABLES, [setting])


class Settings(Config):
    train: TrainConfig


def test_settings_that_do_not_go_together_are_named_and_not_their_table() -> None:
    train = {
        "model": {"kind": "text_vae", "prior": {"kind": "mixture"}},
        "objective": {"kind": "elbo", "free_bits": {"kind": "batch_mean", "nats": 4.0}},
    }
    with pytest.raises(ConfigError, match=r"^a recipe: in 'train', free bits of kind 'batch_mean' need"):
        parse(Settings, {"train": train}, "a recipe")
    with pytest.raises(ConfigError, match=r"^a recipe: free bits of kind 'batch_mean' need"):
        parse(TrainConfig, train, "a recipe")


def test_a_recipe_without_a_corpus_is_refused() -> None:
    with pytest.raises(ConfigError, match="'corpus' is missing"):
        read_recipe({"name": "mine"})


def test_installed_recipes_are_found_by_name_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names_in(installed("recipes")):
        assert find_recipe(name).stem == name
        assert read_recipe(name).name == name
    with pytest.raises(ConfigError, match="did you mean 'demo'"):
        find_recipe("dmeo")


@pytest.mark.parametrize("name", ["mine.csv", "mine.txt", "mine.jsonl.gz"])
def test_a_file_of_texts_is_no_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("text,label\nA text.,good\n")
    with pytest.raises(ConfigError, match=rf"{name} is by its name a file of texts, and no recipe; .*textvae new"):
        find_recipe(name)
    with pytest.raises(ConfigError, match=r"there is no recipe 'mine\.toml' .*; make one by `textvae new FILE`"):
        find_recipe("mine.toml")


def test_broken_recipes_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("name = \n")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_recipe(path)
    path.write_bytes(b'name = "\xff"\n')
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_recipe(path)


def test_toml_is_written_so_that_it_reads_back() -> None:
    import tomllib

    tables = {
        "name": 'quoted "x" \\ ü 😀',
        "on": True,
        "empty": {},
        "list": [["a", "b"], ["c", "d"]],
        "train": {"lr": 2e-3, "model": {"kind": "x", "encoder": {"kind": "y", "deep": {"z": 1}}}},
    }
    assert tomllib.loads(to_toml(tables, "A comment.")) == tables


def test_a_recipe_extends_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        'name = "base"\ncorpus = "bible"\n[train]\nepochs = 3\n'
        '[train.objective.kl_weight]\nkind = "linear"\nend = 0.2\n'
        '[train.model]\nlatent_dim = 8\nkind = "text_vae"\n[interpolate]\n'
    )
    (tmp_path / "heir.toml").write_text(
        'extends = "base.toml"\nname = "heir"\n[train]\nepochs = 4\n[train.objective.kl_weight]\nkind = "constant"\n'
    )
    (tmp_path / "lm.toml").write_text('extends = "heir.toml"\nname = "lm"\n[train.model]\nkind = "language_model"\n')
    heir = read_recipe(tmp_path / "heir.toml", ["train.model.latent_dim=9"])
    assert heir.name == "heir" and heir.card[0] == "bible"
    assert heir.tables["train"] == {
        "epochs": 4,
        "objective": {"kl_weight": {"kind": "constant"}},
        "model": {"latent_dim": 9, "kind": "text_vae"},
    }
    baseline = read_recipe(tmp_path / "lm.toml")
    assert baseline.tables["train"]["model"] == {"kind": "language_model"} and "interpolate" not in baseline.tables
    assert baseline.name == "lm" and baseline.tables["train"]["epochs"] == 4


def test_broken_inheritance_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(ConfigError, match="circle"):
        read_recipe(tmp_path / "a.toml")
    (tmp_path / "c.toml").write_text('extends = "nowhere.toml"\n')
    with pytest.raises(ConfigError, match="a recipe file beside it"):
        read_recipe(tmp_path / "c.toml")


def test_tables_without_a_file_extend_nothing() -> None:
    """There is no folder to look in, and a setting that is read is applied."""
    with pytest.raises(ConfigError, match="unknown setting 'extends'"):
        read_recipe({"name": "a", "corpus": "bible", "extends": "penn_treebank.toml"})
