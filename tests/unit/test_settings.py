"""Settings take numbers and booleans as they are written, at every depth; JSON and TOML text; numbers of callers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model

from textvae.arguments import checked_seed, shown, whole_number
from textvae.config import Component, Config, parse
from textvae.errors import ConfigError, DataError
from textvae.evaluation import Evaluation
from textvae.parsing import MAX_DEPTH, is_deep, parse_json, parse_toml


class One(Component):
    kind: Literal["one"] = "one"
    whole: int = Field(3, gt=0)
    maybe: int | None = None
    number: float = Field(1.0, gt=0, allow_inf_nan=True)
    flag: bool = False
    name: str | int = "x"
    path: Path = Path()
    pair: tuple[float, float] = (0.0, 1.0)
    many: tuple[int, ...] = ()
    table: dict[str, float] = Field(default_factory=dict)
    nested: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)


class Two(Component):
    kind: Literal["two"] = "two"
    one: One | None = None


Either = Annotated[One | Two, Field(discriminator="kind")]
MADE = create_model("Made", __base__=Config, either=(Either, Field(default_factory=One)), counts=(list[int], []))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"whole": "8"}, "'either.one.whole' is '8'; input should be a valid integer"),
        ({"whole": True}, "is True; input should be a valid integer"),
        ({"whole": 8.0}, "is 8.0; input should be a valid integer"),
        ({"whole": 10**30}, "less than or equal to 9223372036854775807"),
        ({"maybe": "8"}, "'either.one.maybe' is '8'; input should be a valid integer"),
        ({"maybe": False}, "is False; input should be a valid integer"),
        ({"number": "1"}, "is '1'; input should be a valid number"),
        ({"number": True}, "is True; input should be a valid number"),
        ({"flag": 1}, "is 1; input should be a valid boolean"),
        ({"flag": "yes"}, "is 'yes'; input should be a valid boolean"),
        ({"name": True}, "is True"),
        ({"pair": ["0", 1]}, "'either.one.pair.0' is '0'; input should be a valid number"),
        ({"many": [1, True]}, "'either.one.many.1' is True; input should be a valid integer"),
        ({"table": {"a": "1"}}, "'either.one.table.a' is '1'; input should be a valid number"),
        ({"nested": {"a": "1"}}, "'either.one.nested.a' is '1'; input should be a valid integer"),
    ],
    ids=range(15),
)
def test_numbers_are_taken_as_they_are_written(value: dict, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(MADE, {"either": {"kind": "two", "one": value}}, "here")
    assert expected in str(caught.value)


def test_what_may_stand_for_another_type_still_does() -> None:
    value = {"number": 2, "pair": [0, 1], "many": [1, 2], "path": "a/b", "name": 7, "table": {"a": 1}}
    made = parse(MADE, {"either": {"kind": "two", "one": value}, "counts": [1]}, "here").either.one
    assert made.number == 2.0 and made.pair == (0.0, 1.0) and made.many == (1, 2) and made.path == Path("a/b")
    assert made.name == 7 and made.table == {"a": 1.0} and One(number=float("inf")).number == float("inf")


class Grown(Component):
    """`One` of a later version, which has one more setting."""

    kind: Literal["grown"] = "grown"
    added = frozenset({"later"})
    whole: int = 3
    later: Literal["as before", "new"] = "as before"


class Whole(Config):
    part: Annotated[Grown | Two, Field(discriminator="kind")] = Grown()


def test_an_added_setting_is_written_only_where_it_differs_from_what_was_done_before() -> None:
    before = {"kind": "grown", "whole": 3}
    assert Grown().model_dump() == before == json.loads(Grown().model_dump_json())
    assert Whole().model_dump(mode="json") == {"part": before}
    assert Whole().model_dump(include={"part"}) == {"part": before} and Whole().model_dump(exclude={"part"}) == {}
    assert parse(Whole, {"part": before}, "recipe") == Whole()
    new = Whole(part=Grown(later="new"))
    assert new.model_dump() == {"part": {**before, "later": "new"}}
    assert parse(Whole, new.model_dump(), "recipe") == new != Whole()


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(MADE, {"counts": ["x" * 10**6]}, "here")
    assert len(str(caught.value)) < 200
    assert shown(object.__new__(object)).startswith("<object") and len(shown([1] * 1000)) <= 60


@settings(max_examples=100)
@given(st.text(alphabet="[]{}\",:. =a1'\n", max_size=200))
def test_text_is_parsed_or_refused(text: str) -> None:
    for read in (lambda: parse_toml(text, "here"), lambda: parse_json(text, "here", DataError)):
        try:
            assert not is_deep(read())
        except (ConfigError, DataError) as error:
            assert str(error).startswith("here ")


@settings(max_examples=100)
@given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_json_of_ours_is_read_again(value: object) -> None:
    assert parse_json(json.dumps(value), "here", DataError) == value


def test_depth_is_counted_alike_in_both() -> None:
    for depth, deep in ((MAX_DEPTH, False), (MAX_DEPTH + 2, True)):
        for read in (
            lambda d=depth: parse_json("[" * d + "]" * d, "here", ConfigError),
            lambda d=depth: parse_toml("a = " + "[" * (d - 1) + "]" * (d - 1), "here"),
        ):
            if deep:
                with pytest.raises(ConfigError, match="nested more than 64 levels"):
                    read()
            else:
                assert read()


def test_keys_of_very_many_parts_take_no_time_by_their_square() -> None:
    """Half a million parts would keep the TOML reader for hours: that this returns at all is the test."""
    for text in ("a." * 500_000 + "a = 1", '"a" . ' * 150_000 + "a = 1", "a" * 10**6, '"' * 10**6, "'a" * 500_000):
        with pytest.raises(ConfigError):
            parse_toml(text, "here")


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, np.int64(5), np.uint8(5)])
def test_seeds(seed) -> None:
    assert checked_seed(seed) == int(seed) and type(checked_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 1.0, True, np.bool_(True), None, "1", [1], float("nan")])
def test_what_is_no_seed(seed) -> None:
    with pytest.raises(ConfigError, match=r"seed is .*; expected a whole number from 0 to 2\*\*63 - 1\."):
        checked_seed(seed)


def test_numpy_booleans_are_no_numbers() -> None:
    assert whole_number(np.bool_(True)) is None


def test_measurements_that_are_no_numbers_stay_absent() -> None:
    result = Evaluation(np.arange(2))
    result.put(a=1.0, b=float("nan"), c=float("inf"), d=None, e="x", f=np.float64("nan"))
    assert result == {"a": 1.0, "e": "x"}
