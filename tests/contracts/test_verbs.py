"""What every verb promises, run over the registry: a pure function of a table, in which noise belongs to the row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.mapping.messy import BLANK, GOOD, LONG
from textvae.config import variants_of
from textvae.errors import ConfigError, DataError, ModelError
from textvae.mapping import ReconstructVerb, Verb, VerbConfig, apply
from textvae.mapping.verbs.base import BLANK as SAID_OF_BLANK
from textvae.models import LanguageModelConfig, TextModel
from textvae.text.tokenizers import WordConfig

VERBS = variants_of(VerbConfig, Verb)


@pytest.fixture(params=VERBS)
def verb(request: pytest.FixtureRequest) -> Verb:
    made: Verb = VERBS[request.param]
    return made


@pytest.fixture
def model(verb: Verb, tiny_run: Path) -> TextModel:
    return verb.model_of(tiny_run / "run")


def text_for(verb: Verb, text: str) -> str:
    """The text, with a blank for a verb that fills blanks."""
    return f"___ {text}" if verb.kind == "impute" and text.strip() else text


def rows_for(verb: Verb) -> list[str]:
    return [text_for(verb, text) for text in [*GOOD, *LONG, *BLANK, *GOOD]]


def assert_alike(one: pa.Array, other: pa.Array) -> None:
    assert one.type == other.type
    if pa.types.is_string(one.type):
        assert one.to_pylist() == other.to_pylist()
        return
    assert one.is_null().to_pylist() == other.is_null().to_pylist()
    flat = [values.drop_null() for values in (one, other)]
    if pa.types.is_list(one.type):
        flat = [values.flatten() for values in flat]
    np.testing.assert_allclose(flat[0].to_numpy(), flat[1].to_numpy(), rtol=1e-4, atol=1e-5)


def column(table: pa.Table, name: str) -> pa.Array:
    return table[name].combine_chunks()


def test_it_adds_its_columns_and_the_reason_where_there_is_no_answer(verb: Verb, model: TextModel) -> None:
    texts = rows_for(verb)
    table = pa.table({"text": texts, "kept": list(range(len(texts)))})
    done = apply(table, verb, model)
    added = verb.columns(model)
    assert done.column_names == ["text", "kept", *added, "error"]
    assert done.select(["text", "kept"]) == table
    for name, kind in added.items():
        assert done[name].type == kind
        assert [value is not None for value in done[name].to_pylist()] == [bool(text.strip()) for text in texts]
    assert done["error"].to_pylist() == [None if text.strip() else SAID_OF_BLANK for text in texts]
    assert apply(table, verb, model) == done, "the same call gives the same table"


def test_an_answer_depends_on_its_row_alone(verb: Verb, model: TextModel) -> None:
    texts = rows_for(verb)
    whole = apply(pa.table({"text": texts}), verb, model, source="a.csv", seed=3)
    for start, stop in ((0, 5), (5, len(texts)), (7, 8)):
        part = apply(pa.table({"text": texts[start:stop]}), verb, model, source="a.csv", first_row=start, seed=3)
        for name in verb.columns(model):
            assert_alike(column(whole, name).slice(start, stop - start), column(part, name))


def test_noise_belongs_to_the_file_the_row_and_the_seed(verb: Verb, model: TextModel) -> None:
    table = pa.table({"text": [text_for(verb, GOOD[0])] * 24})
    one = apply(table, verb, model, source="a.csv")
    draws = len(set(map(str, column(one, next(iter(verb.columns(model)))).to_pylist()))) > 1
    if verb.kind == "impute":
        return  # noise decides between answers that are about as probable, which may be none
    sampled = isinstance(verb, ReconstructVerb) and verb.decoding.kind == "sample"  # type: ignore[attr-defined]
    assert draws == (sampled or verb.kind in ("score", "generate"))
    for changed in ({"source": "b.csv"}, {"seed": 1}, {"first_row": 100}):
        other = apply(table, verb, model, **{"source": "a.csv", **changed})
        same = all(column(one, name) == column(other, name) for name in verb.columns(model))
        assert same is not draws


@pytest.mark.parametrize("on_error", ["truncate", "skip", "stop"])
def test_long_texts_are_cut_left_out_or_the_end(verb: Verb, model: TextModel, on_error: Any) -> None:
    good, long = text_for(verb, GOOD[0]), text_for(verb, LONG[0])
    table = pa.table({"text": [good, long]})
    if on_error == "stop":
        with pytest.raises(DataError, match=r"row 2 of a\.csv has no answer"):
            apply(table, verb, model, source="a.csv", on_error=on_error)
        apply(table.slice(0, 1), verb, model, on_error=on_error)
        return
    done = apply(table, verb, model, on_error=on_error)
    assert [error is None for error in done["error"].to_pylist()] == [True, on_error == "truncate"]
    if on_error == "truncate":
        cut = pa.table({"text": [good, " ".join(long.split()[:10])]})
        for name, kind in verb.columns(model).items():
            if not (verb.kind == "impute" and pa.types.is_string(kind)):
                assert_alike(column(apply(cut, verb, model), name), column(done, name))
    else:
        assert "too long" in done["error"].to_pylist()[1]


def test_names_that_exist_are_kept(verb: Verb, model: TextModel) -> None:
    names = [*verb.columns(model), "error"]
    table = pa.table({"text": [text_for(verb, GOOD[0])], **{name: ["mine"] for name in names}})
    done = apply(table, verb, model)
    assert done.column_names == ["text", *names, *(f"textvae_{name}" for name in names)]
    assert all(done[name].to_pylist() == ["mine"] for name in names)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_columns_of_strings_are_read_whatever_their_type(verb: Verb, model: TextModel, kind: pa.DataType) -> None:
    texts = pa.array([text_for(verb, GOOD[0]), None, ""], pa.string())
    done = apply(pa.table({"body": texts.cast(kind) if kind != texts.type else texts}), verb, model, column="body")
    assert [error is None for error in done["error"].to_pylist()] == [True, False, False]


def test_it_refuses_what_is_no_text(verb: Verb, model: TextModel) -> None:
    for table in (pa.table({"text": [1, 2]}), pa.table({"other": ["a"]}), pa.table([["a"], ["b"]], ["text", "text"])):
        with pytest.raises(DataError, match="column"):
            apply(table, verb, model)
    with pytest.raises(ConfigError, match="on-error"):
        apply(pa.table({"text": ["a"]}), verb, model, on_error="never")
    assert len(apply(pa.table({"text": pa.array([], pa.string())}), verb, model)) == 0


def test_a_language_model_has_no_code(verb: Verb) -> None:
    tokenizer = WordConfig(vocab_size=20).train(["the a i is good"])
    part = {"kind": "gru", "embedding_dim": 3, "hidden_dim": 4}
    model = LanguageModelConfig.model_validate({"decoder": part}).build(vocab_size=tokenizer.vocab_size, max_tokens=9)
    table = pa.table({"text": [text_for(verb, "the a i")]})
    with pytest.raises(ModelError):
        apply(table, verb, model)  # without a tokenizer
    model.tokenizer = tokenizer
    if verb.kind in ("score", "impute"):
        assert apply(table, verb, model)["error"].to_pylist() == [None]
    else:
        with pytest.raises(ModelError):
            apply(table, verb, model)
