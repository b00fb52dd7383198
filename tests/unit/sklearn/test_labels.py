"""The y of a classifier: what is a class, what is no label, and what is refused; and how texts are divided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from textvae.errors import TextVAEError
from textvae.sklearn.labels import labels_of
from textvae.sklearn.splits import divided
from textvae.text.normalize import normalize

NAN = float("nan")


def objects(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def series(values: list[Any], dtype: str) -> Any:
    return pytest.importorskip("pandas").Series(values, dtype=dtype, index=range(7, 7 + len(values)))


def taken() -> Iterator[Any]:
    words, codes = ["a", "b"], [1, 0, -1]
    yield pytest.param(lambda: ["b", "a", None], words, codes, "<U1", id="strings, None")
    yield pytest.param(lambda: ["b", "a", NAN], words, codes, "<U1", id="strings, NaN")
    yield pytest.param(lambda: ["b", "a", -1], words, codes, "<U1", id="strings, -1")
    yield pytest.param(lambda: ("b", "a"), words, codes[:2], "<U1", id="tuple")
    yield pytest.param(lambda: np.array(["bb", "a"]), ["a", "bb"], codes[:2], "<U2", id="array of strings")
    yield pytest.param(lambda: objects(["b", "a", -1]), words, codes, "|O", id="objects, -1")
    yield pytest.param(lambda: objects(["b", "a", None]), words, codes, "|O", id="objects, None")
    yield pytest.param(lambda: series(["b", "a", None], "string"), words, codes, "|O", id="Series of string")
    yield pytest.param(lambda: series(["b", "a", None], "category"), words, codes, "|O", id="Series of category")
    yield pytest.param(lambda: [7, 3, -1], [3, 7], codes, "<i8", id="numbers, -1")
    yield pytest.param(lambda: [7, 3, None], [3, 7], codes, "<i8", id="numbers, None")
    yield pytest.param(lambda: [7, 3, NAN], [3, 7], codes, "<i8", id="numbers, NaN")
    yield pytest.param(lambda: np.array([7, 3, -1], dtype=np.int16), [3, 7], codes, "<i2", id="int16")
    yield pytest.param(lambda: np.array([7, 3], dtype=np.uint8), [3, 7], codes[:2], "|u1", id="uint8")
    yield pytest.param(lambda: np.array([-7, -3, -1]), [-7, -3], [0, 1, -1], "<i8", id="negative numbers")
    yield pytest.param(lambda: series([7, 3, None], "Int64"), [3, 7], codes, "<i8", id="Series of Int64")
    yield pytest.param(lambda: series([7, 3, -1], "int16"), [3, 7], codes, "<i2", id="Series of int16")
    yield pytest.param(lambda: np.array([7.0, 3.0, NAN]), [3.0, 7.0], codes, "<f8", id="floats, NaN")
    yield pytest.param(lambda: np.array([7.0, 3.0, -1.0]), [3.0, 7.0], codes, "<f8", id="floats, -1")
    yield pytest.param(lambda: [True, False, None], [False, True], codes, "|b1", id="truth values")
    yield pytest.param(lambda: np.array([True, False]), [False, True], codes[:2], "|b1", id="array of truth values")
    yield pytest.param(lambda: ["1", "0", "-1"], ["-1", "0", "1"], [2, 1, 0], "<U2", id="numbers in writing")
    yield pytest.param(lambda: ["b ", "b", " b"], [" b", "b", "b "], [2, 1, 0], "<U2", id="white space")


@pytest.mark.parametrize(("make", "classes", "codes", "dtype"), list(taken()))
def test_classes_are_sorted_and_of_the_type_of_y(make: Any, classes: list[Any], codes: list[int], dtype: str) -> None:
    found = labels_of(make(), len(codes))
    assert found.classes.tolist() == classes and found.classes.dtype.str == dtype
    assert found.codes.tolist() == codes and found.codes.dtype == np.int64


def refused() -> Iterator[Any]:
    yield pytest.param(lambda: None, "requires y to be passed, but the target y is None", id="None")
    yield pytest.param(lambda: ["a", "b"], "X has 3 texts, and y has 2 labels", id="too few")
    yield pytest.param(lambda: ["a", "b"] * 2, "X has 3 texts, and y has 4 labels", id="too many")
    yield pytest.param(lambda: np.zeros((3, 1)), r"shape \(3, 1\).*one dimension.*y\[:, 0\]", id="2-D")
    yield pytest.param(lambda: np.array("a"), r"shape \(\)", id="0-D")
    yield pytest.param(lambda: "abc", "list of labels", id="one string")
    yield pytest.param(lambda: {"a": 1, "b": 2, "c": 3}, "list of labels", id="dict")
    yield pytest.param(lambda: 3, "list of labels", id="a number")
    yield pytest.param(lambda: [1, "1", 2], "y mixes numbers, such as 1 and strings, such as '1'", id="1 and '1'")
    yield pytest.param(lambda: [True, 2, 3], "y mixes truth values, such as True and numbers", id="True and 2")
    yield pytest.param(lambda: [None, -1, NAN], "No text has a label", id="no label")
    yield pytest.param(lambda: ["a", "a", None], "y has one class, 'a', and a classifier needs two; label", id="one")
    yield pytest.param(lambda: [1, -1, 1], "one class, 1.*-1 is no label, so where it is a class, name", id="1 and -1")
    yield pytest.param(lambda: ["a", "", "b"], "Label 2 is '', which is no class; write None", id="empty string")
    yield pytest.param(lambda: ["a", " ", "b"], "Label 2 is ' '", id="blank string")
    yield pytest.param(lambda: np.array(["a", NAN, "b"]), "Label 2 is 'nan'", id="NaN among strings in numpy")
    yield pytest.param(lambda: np.array(["a", -1, "b"]), "'-1' beside 'a'.*dtype object", id="-1 among them in numpy")
    yield pytest.param(lambda: ["a", "b\0", "c"], "Label 2 .*NUL", id="NUL")
    yield pytest.param(lambda: [0.5, 1.0, 2.0], "Unknown label type: label 1 is 0.5", id="a fraction")
    yield pytest.param(lambda: [1.0, 2.0, float("inf")], "Unknown label type: label 3 is inf", id="infinity")
    yield pytest.param(lambda: [b"a", b"b", b"c"], "Unknown label type: label 1 is b'a'", id="bytes")
    yield pytest.param(lambda: [["a"], ["b"], ["a"]], r"Unknown label type: label 1 is \['a'\]", id="lists")
    yield pytest.param(lambda: np.array(["2026-01-01"] * 3, dtype="M8[D]"), "Unknown label type", id="dates")


@pytest.mark.parametrize(("make", "message"), list(refused()))
def test_what_is_no_y_is_refused_in_one_sentence(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        labels_of(make(), 3)
    assert isinstance(caught.value, TextVAEError) and str(caught.value).endswith(".")


# --- the division -------------------------------------------------------------------------------------------

MANY = [f"text {row}" for row in range(1200)]


@pytest.mark.parametrize("labelled", [20, 1100, 1150, 1200])
def test_a_labelled_text_is_for_validation_only_where_too_few_have_none(labelled: int) -> None:
    codes = np.where(np.arange(1200) < labelled, np.arange(1200) % 3, -1)
    given = divided(MANY, codes, ["a", "b", "c"])
    assert given.every_label and given.labels is not None and given.splits is not None
    rows = list(zip(given.texts, given.labels, given.splits, strict=True))
    assert rows[0] == ("text 0", None, "test") and sum(split == "test" for *_, split in rows) == 1
    assert sorted(text for text, *_ in rows[1:]) == sorted(MANY)
    told = {text: label for text, label, _ in rows[1:]}
    assert [told[text] for text in MANY] == [None if code < 0 else "abc"[code] for code in codes]
    valid = [label for _, label, split in rows if split == "valid"]
    assert len(valid) == 60 and sum(label is not None for label in valid) == max(0, 60 - (1200 - labelled))
    # Those with a label come first.
    assert all(label is not None for _, label, _ in rows[1 : labelled + 1])


def test_equal_texts_are_together_and_blank_ones_in_no_share() -> None:
    texts = [*(f"text {row}" for row in range(40)), "", "Text  1", "text 2", " "]
    codes = np.array([-1] * 40 + [0, 1, 0, 1])
    given = divided(texts, codes, ["a", "b"])
    assert given.splits is not None
    by_text: dict[str, set[str]] = {}
    for text, split in zip(given.texts[1:], given.splits[1:], strict=True):
        by_text.setdefault(normalize(text), set()).add(split)
    assert all(len(found) == 1 for found in by_text.values()) and by_text["text 2"] == {"train"}
    assert sum(found == {"valid"} for found in by_text.values()) == 4


def test_the_last_text_of_a_class_is_for_training() -> None:
    codes = np.arange(40)
    given = divided([f"text {row}" for row in range(40)], codes, [f"c{row}" for row in range(40)])
    assert given.splits is not None and given.labels is not None
    # None can be spared: validation has a text that training has too, without its label.
    assert [label for label, split in zip(given.labels, given.splits, strict=True) if split == "valid"] == [None]
    assert given.splits.count("train") == 40


def test_the_division_is_the_same_for_the_same_texts() -> None:
    codes = np.arange(1200) % 2
    assert divided(MANY, codes, ["a", "b"]) == divided(MANY, codes, ["a", "b"])
