"""A model's methods are the functions of the tasks: the same parameters and defaults, the same results and errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from tests.contracts.test_models import CONFIGS, built
from textvae.errors import ConfigError, TextVAEError
from textvae.generation import BeamConfig, SamplingConfig
from textvae.models import TextModel, uses
from textvae.models.uses import Uses
from textvae.text.tokenizers import WordConfig

FUNCTIONS = {
    "generate": ("generate", "generate_sentences"),
    "markov_chain": ("markov_chain", "markov_chain"),
    "interpolate": ("interpolate", "interpolate"),
    "impute": ("impute", "impute"),
    "classify": ("classify", "classify"),
    "score": ("score", "score"),
    "reconstruct": ("reconstruct", "reconstruct"),
}
"""The module and the name of the function of each method."""

OF_FILES = {"places"}
"""Parameters that only the functions have: where in a file a text is."""

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "generate": ((3,), {"decoding": SamplingConfig(temperature=0.7), "seed": 5}),
    "markov_chain": ((["one two", "six"], 2), {"decoding": {"kind": "sample", "top_k": 3}, "seed": 5}),
    "interpolate": (("one two", "three four"), {"steps": 3, "decoding": "beam"}),
    "impute": ((["one ___ three"],), {"rounds": 1, "width": 2, "samples": 3, "answers": 2, "seed": 4}),
    "classify": ((["one two", "seven"],), {}),
    "score": ((["one two", "seven"],), {"samples": 3, "seed": 2}),
    "reconstruct": ((["one two", "seven"],), {"sample": True, "decoding": "sample", "seed": 3}),
}
MODELS = [
    *(name for name in CONFIGS if name.startswith("registered-")),
    *("gru-transformer", "sphere-lstm", "semi-supervised-transformer", "language-model-lstm"),
]


def speaking(name: str) -> TextModel:
    model = built(name)
    model.tokenizer = WordConfig(vocab_size=11).train(["one two three four five six seven"])
    return model


def function_of(method: str) -> Callable[..., Any]:
    module, name = FUNCTIONS[method]
    return getattr(import_module(f"textvae.tasks.{module}"), name)


def outcome(call: Callable[..., Any], *given: Any, **options: Any) -> tuple[str, Any]:
    """What a call returned, or its error."""
    try:
        return "returned", call(*given, **options)
    except TextVAEError as error:
        return type(error).__name__, str(error)


def parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """The parameters beside the model: how each is passed, and its default."""
    first, *others = inspect.signature(function).parameters.values()
    assert first.name in ("self", "model")
    return {one.name: (one.kind, one.default) for one in others}


def test_every_use_is_a_method_and_every_method_is_described() -> None:
    assert {name for name in vars(Uses) if not name.startswith("_")} == set(FUNCTIONS) == set(CALLS)
    for name in FUNCTIONS:
        said = inspect.getdoc(getattr(TextModel, name)) or ""
        for parameter in parameters(getattr(Uses, name)):
            assert f"    {parameter}: " in said, (name, parameter)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_method_has_the_parameters_of_its_function(name: str) -> None:
    theirs = {one: how for one, how in parameters(function_of(name)).items() if one not in OF_FILES}
    assert list(parameters(getattr(Uses, name)).items()) == list(theirs.items())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_method_hands_on_everything_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: dict[str, Any] = {}

    def task(module: str, function: str) -> Callable[..., Any]:
        assert (module, function) == FUNCTIONS[name]

        def called(model: Any, *given: Any, **options: Any) -> None:
            handed.update(zip(parameters(plain), given, strict=False), **options, model=model)

        return called

    plain = inspect.unwrap(getattr(Uses, name))
    monkeypatch.setattr(uses, "_task", task)
    given = {parameter: object() for parameter in parameters(plain)}
    positional = [one for one, (kind, _) in parameters(plain).items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    model = object()
    plain(model, *(given[one] for one in positional), **{one: given[one] for one in given if one not in positional})
    assert handed == {**given, "model": model}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_method_gives_what_its_function_gives(name: str, kind: str) -> None:
    """On every kind of model, what it returns or how it refuses."""
    function, model = function_of(name), speaking(kind)
    given, options = CALLS[name]
    for more in (options, {}):
        expected = outcome(function, model, *given, **more)
        assert outcome(getattr(model, name), *given, **more) == expected
        # Nothing but a refusal of textvae's own may go wrong, and what any kind can do must work.
        assert expected[0] in ("returned", "ModelError"), expected
    if name in ("generate", "impute") and kind.startswith(("gru", "language")):
        assert expected[0] == "returned"


@pytest.mark.parametrize("given", [BeamConfig(width=3), {"kind": "beam", "width": 3}], ids=["settings", "table"])
def test_a_decoding_is_given_in_any_way(given: Any) -> None:
    model = speaking("gru-transformer")
    expected = model.generate(4, decoding=BeamConfig(width=3), seed=1)
    assert model.generate(4, decoding=given, seed=1) == expected
    assert model.generate(4, decoding="beam", seed=1) == model.generate(4, decoding=BeamConfig(), seed=1)
    assert model.generate(2) == model.generate(2, decoding="greedy")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("beams", "decoding is 'beams'; expected a kind"),
        ({"width": 3}, r"decoding is \{'width': 3\}; expected a kind"),
        ({"kind": "beam", "temperature": 0.5}, "decoding: unknown setting 'temperature'"),
        ({"kind": "sample", "temperature": 0.0}, "decoding: setting 'temperature' is 0.0"),
    ],
    ids=str,
)
def test_a_decoding_that_is_none_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        speaking("gru-transformer").reconstruct(["one"], decoding=given)
