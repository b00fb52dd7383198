"""Which values are labels, which mean none, and which say what split a row is in."""

from __future__ import annotations

import json
import random
import tomllib

import numpy as np
import pandas as pd
import pytest

from tests.trial import TRIAL
from tests.unit.text.looking import looked, prose, table
from textvae.errors import ConfigError, DataError
from textvae.pipeline.new import card_beside, new_recipe
from textvae.text.corpora import load_card
from textvae.text.given import checked_labels

N = 90


def values(given: list[str], seed: int = 0) -> list[str]:
    """Labels for N rows: each of the given ones as often, in any order."""
    found = [given[i % len(given)] for i in range(N)]
    random.Random(seed).shuffle(found)
    return found


def rows(given: list[str]) -> list[tuple[str, str]]:
    return [(prose(i), value) for i, value in enumerate(values(given))]


@pytest.mark.parametrize("mark", ["NA", "N/A", "None", "null", "NULL", "n/a", "-", "?", "<NA>", "#N/A"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "json"])
def test_usual_marks_mean_no_label_beside_others(tmp_path, mark, kind) -> None:
    given = rows(["pos", "neg", mark])
    content = {
        "csv": table(["text", "label"], given),
        "tsv": table(["text", "label"], given, "\t"),
        "json": json.dumps([{"text": text, "label": label} for text, label in given]),
    }[kind]
    found, card = looked(tmp_path, f"x.{kind}", content)
    assert found.no_label == {mark: 30} and found.label_counts == {"pos": 30, "neg": 30} and found.unlabelled == 30
    assert card.label_names() == ["neg", "pos"]


@pytest.mark.parametrize("written", ["", "nan", "NaN", "NAN", " ", "null value", "nan value", "absent"])
def test_empty_null_and_nan_are_never_labels(tmp_path, written) -> None:
    """In JSON NaN is a number that is none, as pandas writes it."""
    as_json = {"null value": None, "nan value": float("nan")}
    records = [
        {"text": text, **({} if label == "absent" else {"label": as_json.get(label, label)})}
        for text, label in rows(["pos", "neg", written])
    ]
    found, card = looked(tmp_path, "x.jsonl", "\n".join(map(json.dumps, records)))
    assert (
        found.label_counts == {"pos": 30, "neg": 30} and found.no_label == {} and card.label_names() == ["neg", "pos"]
    )
    if written not in (*as_json, "absent"):
        found, _ = looked(tmp_path, "x.csv", table(["text", "label"], rows(["pos", "neg", written])))
        assert found.label_counts == {"pos": 30, "neg": 30} and found.no_label == {}


@pytest.mark.parametrize(
    "others", [["0", "1", "2"], ["1", "2", "3", "4"], ["0", "1"], ["1"], ["a", "b", "c"], ["0", "1", "-2"]]
)
def test_minus_one_is_a_label_unless_the_user_says_so(tmp_path, others) -> None:
    content = table(["text", "label"], rows([*others, "-1"]))
    found, _ = looked(tmp_path, "x.csv", content)
    assert "-1" in found.label_counts and found.no_label == {}
    asks = len(others) >= 3 and all(value.isdecimal() for value in others)
    assert bool(found.perhaps_no_label) == asks
    told, card = looked(tmp_path, "x.csv", content, no_label=("-1",))
    if len(others) > 1:
        assert told.no_label == {"-1": found.label_counts["-1"]} and "-1" not in card.label_names()
        assert told.perhaps_no_label == 0
    else:
        assert (told.label_column, told.one_label) == (None, "1")


def test_several_values_that_mean_no_label(tmp_path) -> None:
    content = table(["text", "label"], rows(["pos", "neg", "unknown", "skip", "NA"]))
    found, card = looked(tmp_path, "x.csv", content, no_label=("unknown", "skip"))
    assert list(found.no_label) == ["unknown", "skip", "NA"] and card.label_names() == ["neg", "pos"]


@pytest.mark.parametrize("rare", [["mixed"], ["a", "b", "c"], ["odd"] * 5, ["x"] * 5 + ["y"], ["one", "two", "two"]])
def test_rows_of_rare_classes_count_as_unlabelled(tmp_path, rare) -> None:
    given = rows(["pos", "neg"]) + [(prose(1000 + i), label) for i, label in enumerate(rare)]
    found, card = looked(tmp_path, "x.csv", table(["text", "label"], given))
    assert found.labels == ("neg", "pos") and found.unlabelled == len(rare) == sum(found.rare.values())
    assert found.label_counts == {"pos": 45, "neg": 45} and card.label_names() == ["neg", "pos"]


@pytest.mark.parametrize("each", [1, 3, 5])
def test_where_all_classes_are_rare_they_stay(tmp_path, each) -> None:
    given = [(prose(i), f"c{i // each}") for i in range(30)]
    found, _ = looked(tmp_path, "x.csv", table(["text", "label"], given), label="label")
    assert found.labels is None and found.rare == {} and len(found.label_counts) == 30 // each


def notes(tmp_path, content: str, **wanted) -> tuple[str, str]:
    (tmp_path / "x.csv").write_text(content)
    recipe, found = new_recipe(tmp_path / "x.csv", out=tmp_path, force=True, trial=TRIAL, **wanted)
    load_card(card_beside(recipe))
    return "\n".join(found), recipe.read_text()


SAID = [
    (["pos", "neg"], {}, "Labels in column 'label': ", True),
    (["pos", "neg", "NA"], {}, "No label (no_label in the card): 'NA', in 30 of the rows.", True),
    (["0", "1", "2", "-1"], {}, "; --no-label -1 says so.", True),
    (["pos"], {}, "All labels are 'pos', so there is nothing to classify.", False),
    (
        [f"class {i}" for i in range(60)],
        {},
        "Column 'label' has 60 labels, more than 50, so no classifier is trained.",
        False,
    ),
    ([f"class {i}" for i in range(30)], {}, "the rarest is too rare for a classifier", False),
    (["pos", "neg"], {"label": "none"}, "Text: column 'text'; labels: none (second: 'label').", False),
]


@pytest.mark.parametrize(("given", "wanted", "said", "classifies"), SAID, ids=range(len(SAID)))
def test_what_is_said_of_labels(tmp_path, given, wanted, said, classifies) -> None:
    content = table(["text", "label"], rows(given))
    if len(given) == 60:
        content = table(["text", "label"], [(prose(i), given[i % 60]) for i in range(600)])
    found, recipe = notes(tmp_path, content, **wanted)
    assert said in found and ("[classify]" in recipe) == classifies


SPLITS = [
    (["train", "test"], {"train": ["train"], "test": ["test"]}),
    (["Train", "Dev", "Test"], {"train": ["Train"], "valid": ["Dev"], "test": ["Test"]}),
    (["training", "validation"], {"train": ["training"], "valid": ["validation"]}),
    (["TRAIN", "VAL", "EVAL"], {"train": ["TRAIN"], "valid": ["VAL"], "test": ["EVAL"]}),
    (["train", "test", "unsup"], {"train": ["train"], "test": ["test"]}),
    (["train_set", "test_set"], {"train": ["train_set"], "test": ["test_set"]}),
    (["train", "dev", "test", "test"], {"train": ["train"], "valid": ["dev"], "test": ["test"]}),
]


@pytest.mark.parametrize(("given", "names"), SPLITS, ids=range(len(SPLITS)))
@pytest.mark.parametrize("column", ["split", "SPLIT", "set", "part", "dataset"])
def test_a_split_column_is_the_split(tmp_path, given, names, column) -> None:
    marks = values(given, 1)
    content = table(["text", column, "label"], [(prose(i), marks[i], "ab"[i % 2]) for i in range(N)])
    found, card = looked(tmp_path, "x.csv", content)
    assert (found.split_column, found.label_column) == (column, "label") and found.split_names == names
    assert card.splits == ("train", "valid", "test")
    sentence = {split: {text for text, _ in card.read(split)} for split in card.splits}
    for split in card.splits:
        mine = {prose(i) for i in range(N) if marks[i] in names.get(split, names["train"])}
        assert sentence[split] == mine if split in names and split != "train" else sentence[split] <= mine
    assert not sentence["train"] & (sentence["valid"] | sentence["test"])


@pytest.mark.parametrize(
    "given", [["0", "1", "2"], ["test", "dev"], ["a", "b", "train", "c", "d"], ["train"], ["x", "y"]]
)
def test_a_column_without_train_is_no_split_and_no_label(tmp_path, given) -> None:
    content = table(["text", "split"], [(prose(i), value) for i, value in enumerate(values(given))])
    found, card = looked(tmp_path, "x.csv", content)
    assert (found.split_column, found.label_column) == (None, None) and card.splits == ("train", "valid", "test")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('split_column = "s"', "split_column and split_names must be given together"),
        ('split_names = { train = ["train"] }', "split_column and split_names must be given together"),
        ('split_column = "s"\nsplit_names = { test = ["test"] }', "split_names must say which values mean train"),
        ('split_column = "s"\nsplit_names = { dev = ["dev"] }', "train"),
        ("labels = 3", "valid list"),
    ],
)
def test_cards_of_splits_that_are_none(tmp_path, settings, message) -> None:
    (tmp_path / "card.toml").write_text(f'kind = "csv"\nfiles = {{ train = "x.csv" }}\n{settings}\n')
    with pytest.raises(ConfigError, match=message):
        load_card(tmp_path / "card.toml")


def test_the_files_of_a_split_column_are_those_of_train(tmp_path) -> None:
    for kind in ("csv", "tsv", "json", "json_lines"):
        (tmp_path / "card.toml").write_text(
            f'kind = "{kind}"\nfiles = {{ train = "x", test = "y" }}\n'
            'split_column = "s"\nsplit_names = { train = ["a"] }'
        )
        with pytest.raises(ConfigError, match="files must name the train split alone"):
            load_card(tmp_path / "card.toml")


@pytest.mark.parametrize(
    "missing", [None, float("nan"), np.nan, np.float32("nan"), np.float64("nan"), pd.NA, pd.NaT], ids=range(7)
)
def test_missing_labels_of_other_libraries_are_none(missing) -> None:
    assert checked_labels(["pos", missing, 3, np.int64(4)], 4) == ["pos", None, "3", "4"]
    assert checked_labels(pd.Series(["pos", missing], dtype=object), 2) == ["pos", None]


@pytest.mark.parametrize("label", [1.5, float("inf"), [1], {}, b"a", np.array([1.0, 2.0])], ids=range(6))
def test_what_is_no_label_is_refused(label) -> None:
    with pytest.raises(DataError, match=r"Label 1 is .*; expected a string"):
        checked_labels([label], 1)


def test_every_value_is_a_label_where_that_is_wanted(tmp_path) -> None:
    """However rare it is, and though it means no label in other files; the splits are those that are named."""
    labels = ["NA", "-", *(f"rare {row}" for row in range(60)), *[None] * 28]
    lines = [
        json.dumps({"text": prose(row), "label": label, "part": "b" if row % 30 == 1 else "a"})
        for row, label in enumerate(labels)
    ]
    names = {"train": ["a"], "valid": ["b"], "test": ["c"]}
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join([*lines, json.dumps({"text": prose(90), "label": None, "part": "c"})]))
    path, _ = new_recipe(
        file, minutes=1.0, out=tmp_path, trial=TRIAL, label="label", split="part", split_names=names, every_label=True
    )
    card = load_card(card_beside(path))
    read = {split: list(card.read(split)) for split in ("train", "valid", "test")}
    assert [len(rows) for rows in read.values()] == [87, 3, 1]
    assert {label for rows in read.values() for _, label in rows} == set(labels)
    classify = tomllib.loads(path.read_text())["classify"]
    assert classify["labels"] == "all" and classify["with_validation"] is True
