"""Labels never stop a run: rare classes, labels of one split only, no labels; and what the tokenize stage warns of."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_corpus import SETTINGS, TOKENIZE
from textvae.pipeline.new import to_toml
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.runner import run_recipe
from textvae.pipeline.stages.tokenize import STAGE
from textvae.text.tokenized import TokenizedCorpus

Row = tuple[str, str]


def texts(count: int, label: str, seed: int) -> list[Row]:
    r = random.Random(seed)
    return [(f"the {r.choice('abcdefgh')} {r.choice('ijklmnop')} is {r.choice('uvwxyz')}", label) for _ in range(count)]


GOOD, BAD = texts(120, "good", 0), texts(120, "bad", 1)
SPLITS: dict[str, dict[str, list[Row]]] = {
    "a label only in test": {"train": GOOD + BAD, "valid": GOOD[:9], "test": [*GOOD[:9], ("the a i is odd", "odd")]},
    "labels only in valid": {"train": GOOD + BAD, "valid": texts(9, "odd", 2), "test": BAD[:9]},
    "no test row has a label": {"train": GOOD + BAD, "valid": GOOD[:9], "test": texts(9, "", 3)},
    "no test row has a known label": {"train": GOOD + BAD, "valid": BAD[:9], "test": texts(9, "odd", 4)},
    "labels in training alone": {"train": GOOD + BAD, "valid": texts(9, "", 6), "test": texts(9, "odd", 7)},
    "a class of one row": {"train": [*GOOD, *BAD, ("the a i is odd", "odd")], "valid": GOOD[:9], "test": BAD[:9]},
    "one label in training": {"train": GOOD, "valid": BAD[:9], "test": GOOD[:5] + BAD[:5]},
    "no label in training": {"train": texts(90, "", 5), "valid": BAD[:9], "test": GOOD[:9]},
}
UNKNOWN = {
    "a label only in test": {"test": 1},
    "labels only in valid": {"valid": 9},
    "no test row has a known label": {"test": 9},
    "labels in training alone": {"test": 9},
    "one label in training": {"valid": 9, "test": 5},
}


def write(folder: Path, splits: dict[str, list[Row]], settings: dict[str, Any]) -> Path:
    for split, rows in splits.items():
        lines = [f"{text}\t{label}\n" for text, label in [("text", "label"), *rows]]
        (folder / f"{split}.tsv").write_text("".join(lines))
    card: dict[str, Any] = {"kind": "tsv", "label_column": "label", "files": {s: f"{s}.tsv" for s in splits}}
    if set(splits) == {"train"}:
        card["split_fractions"] = {"train": 0.8, "valid": 0.1, "test": 0.1}
    (folder / "card.toml").write_text(to_toml(card, "A card."))
    (folder / "tiny.toml").write_text(to_toml(settings, "A recipe."))
    return folder / "tiny.toml"


def run(recipe: Path, said: list[str], only: str | None = None) -> Path:
    out = recipe.parent / "run"
    run_recipe(read_recipe(str(recipe)), out, only=only, say=said.append)
    return out


def tokenized(tmp_path: Path, splits: dict[str, list[Row]], **tokenizer: Any) -> tuple[Path, dict[str, Any], str]:
    table = {**TOKENIZE, "tokenizer": {**TOKENIZE["tokenizer"], **tokenizer}}
    said: list[str] = []
    out = run(write(tmp_path, splits, {"name": "tiny", "corpus": "card", "tokenize": table}), said, "tokenize")
    return out, json.loads((out / "tokenize" / "results.json").read_text()), "\n".join(said)


@pytest.mark.parametrize("name", SPLITS)
def test_labels_that_training_has_not_count_as_none_and_are_told(tmp_path: Path, name: str) -> None:
    out, results, said = tokenized(tmp_path, SPLITS[name])
    for split, rows in SPLITS[name].items():
        unknown = UNKNOWN.get(name, {}).get(split, 0)
        assert results[split]["unknown_labels"] == unknown
        corpus = TokenizedCorpus(out / "tokenize" / f"{split}.arrow")
        none = unknown + sum(not label for _, label in rows) if name != "no label in training" else len(rows)
        assert int((corpus.labels < 0).sum()) == none
        texts_say = "1 text has a label" if unknown == 1 else f"{unknown} texts have labels"
        assert (f"warning: {split}: {texts_say} that no training text has" in said) == bool(unknown)
    assert ("no training text has a label" in said) == (name == "no label in training")


@pytest.mark.parametrize(
    "rare",
    [
        [("the a i is odd", "odd")],
        [(f"the a i is odd {i}", f"odd {i}") for i in range(12)],
        [(f"the a i is odd {i}", f"odd {i}") for i in range(45)],
        [("the a i is odd", "odd")] * 7,
        [(text, "both") for text, _ in GOOD[:20]],
    ],
)
def test_rare_classes_of_one_file_are_all_learned(tmp_path: Path, rare: list[Row]) -> None:
    out, results, said = tokenized(tmp_path, {"train": [*GOOD, *BAD, *rare]})
    train = TokenizedCorpus(out / "tokenize" / "train.arrow")
    assert set(results["label_names"]) == {"good", "bad"} | {label for _, label in rare}
    assert len(np.unique(train.labels)) == len(results["label_names"]) and "warning" not in said


@pytest.mark.parametrize("name", ["labels in training alone", "a class of one row", "one label in training"])
def test_every_stage_works(tmp_path: Path, name: str) -> None:
    """The classifier, the probe, the pictures and the page."""
    evaluate = {**SETTINGS["evaluate"], "probe_labels": [10]}
    train = {**SETTINGS["train"], "epochs": 1}
    stages = {"name": "tiny", "corpus": "card", "tokenize": TOKENIZE, "train": train, "evaluate": evaluate}
    said: list[str] = []
    out = run(write(tmp_path, SPLITS[name], {**stages, "classify": {"labels": 20, "epochs": 1}}), said)
    report = json.loads((out / "report.json").read_text())
    page = (out / "report.html").read_text()
    if name == "one label in training":
        assert (
            "labels" not in report["classify"] and "the training texts have one label; a classifier needs two" in page
        )
    elif name == "labels in training alone":
        assert report["classify"]["labels"] == 20 and "accuracy" not in report["classify"]
        assert "No test sentence has a label" in page and "no test text has a label" in "\n".join(said)
    else:
        assert 0 <= report["classify"]["accuracy"] <= 1 and "probe_accuracy_10" in report["evaluate"]


@pytest.mark.parametrize(
    ("tokenizer", "test", "warns"),
    [
        ({}, [("q r s t", "")] * 9, True),
        ({"vocab_size": 8}, GOOD[:30], True),
        ({}, [("今天天气很好", "")] * 3 + [("明天见", "")] * 3, True),
        ({}, [("THE A I IS U", "")] * 5, True),
        ({"lowercase": True}, [("THE A I IS U", "")] * 5, False),
        ({}, GOOD[:30], False),
        ({}, [("the a q r", "")] * 5, False),
    ],
)
def test_most_test_tokens_unknown(tmp_path: Path, tokenizer: dict[str, Any], test: list[Row], warns: bool) -> None:
    splits = {"train": GOOD + BAD, "valid": GOOD[:9], "test": test}
    _, results, said = tokenized(tmp_path, splits, **tokenizer)
    warned = [line for line in results.get("warnings", []) if line.split(" of the ")[1].startswith("test")]
    assert bool(warned) == warns == ("of the test tokens are unknown" in said)
    assert not warns or 'kind = "sentencepiece"' in warned[0]
    assert STAGE.version == 2
