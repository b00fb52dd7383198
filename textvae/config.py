"""The base of every configuration: frozen, strict, told apart by `kind`; and how large a setting may be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError

from textvae.arguments import LARGEST, shown
from textvae.errors import ConfigError

T = TypeVar("T")

MAX_WIDTH, MAX_LAYERS, MAX_PARTS = 65_536, 100, 10_000
"""Numbers in a layer, layers, components: memory is taken for them before a step is trained."""
MAX_VOCABULARY, MAX_TOKENS = 10_000_000, 100_000
"""Words of a tokenizer, and tokens of a sentence."""
MAX_STEPS, MAX_BATCH_TOKENS = 10**12, 10**9
"""Steps, epochs and what else only counts; tokens held at once."""
MAX_BEAM, MAX_PATH, MAX_SAMPLES = 1000, 10_000, 1_000_000
"""Hypotheses kept or given; sentences on a path; samples of a bound."""


def _strict_numbers(schema: Any) -> Any:
    """A pydantic schema, changed in place, that makes no number or boolean of something else, and knows a largest."""
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if node.get("type") in ("int", "float", "bool"):
                node["strict"] = True
            if node.get("type") == "int" and not node.keys() & {"le", "lt"}:
                node["le"] = LARGEST
            left += [inner for name, inner in node.items() if name not in ("cls", "default", "metadata")]
        elif isinstance(node, list | tuple):
            left += node
    return schema


class Config(BaseModel):
    """A frozen table of settings; an unknown field is an error.

    Numbers and booleans are taken as they are written, at every depth: ``"8"``, ``8.0`` and ``true`` are no 8. Lists
    may stand for tuples, and strings for paths.

    Attributes:
        watched_only: fields that change how something is watched and not what comes out: no fingerprint has them, and
            they may differ where an interrupted work is gone on with.
    """

    watched_only: ClassVar[frozenset[str]] = frozenset()

    # TOML has inf and nan. A setting for which they mean something allows them itself.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return _strict_numbers(handler(source))


class Component(Config):
    """Settings of one interchangeable part.

    A subclass lives beside the class it builds, holds only the fields that class accepts, and adds
    `kind: Literal["name"] = "name"`, under which it is chosen and serialised. It has a `build(...)`
    method whose keyword arguments are the sizes only the composition knows.
    """

    kind: str

    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}}
    """By a name, settings with which the part is small, and which between them use all of it: the tests of its family
    run over them. The plain one has no name."""


C = TypeVar("C", bound=Component)


def one_of(family: type[Component], names: Mapping[str, object]) -> Any:
    """The settings of any kind of a family, told apart by `kind`: the type of a field, for pydantic.

    A module that imports the settings of every kind is thereby the family's registry.

    Args:
        family: the base of the settings.
        names: of the module (`globals()`); what else is in it does not matter.
    """
    found: dict[str, type[Component]] = {}
    for settings in names.values():
        if not (isinstance(settings, type) and issubclass(settings, family)):
            continue
        kind = settings.model_fields["kind"].default
        # A base that several kinds share has no kind of its own.
        if isinstance(kind, str) and found.setdefault(kind, settings) is not settings:
            raise TypeError(f"{settings.__name__} and {found[kind].__name__} have the same kind {kind!r}")
    # A union of one needs no discriminator; pydantic asks for two members to have one.
    discriminator = Field(discriminator="kind") if len(found) > 1 else Field()
    return Annotated[Union[tuple(found.values())], discriminator]  # noqa: UP007 (made of a tuple)


def kinds_of(registered: Any, family: type[C]) -> dict[str, type[C]]:
    """The settings of every kind of a family, by kind, of what `one_of` gave.

    >>> from textvae.objectives import ObjectiveConfig, ObjectiveSettings
    >>> list(kinds_of(ObjectiveConfig, ObjectiveSettings))[:3]
    ['elbo', 'info_vae', 'iwae']
    """
    union = get_args(registered)[0]
    return {settings.model_fields["kind"].default: settings for settings in get_args(union) or (union,)}


def variants_of(registered: Any, family: type[C]) -> dict[str, C]:
    """All variants of all kinds of what `one_of` gave, by ``kind`` or ``kind-variant``."""
    return {
        f"{kind}-{name}" if name else kind: settings.model_validate(dict(values))
        for kind, settings in kinds_of(registered, family).items()
        for name, values in settings.variants.items()
    }


def parse(expected: type[T] | Any, data: Any, where: str) -> T:
    """Validate `data` as `expected` (a Config, or a union of them).

    Args:
        expected: the type to build.
        data: what a TOML or JSON reader returned.
        where: how to name the source in an error, such as ``recipe demo.toml``.

    Raises:
        ConfigError: one sentence naming the field, what was got and what is allowed.
    """
    try:
        return TypeAdapter(expected).validate_python(data)
    except ValidationError as error:
        raise ConfigError(_explain(error, where, expected, data)) from None


def _field_names(expected: Any) -> list[str]:
    """All field names that occur in a config and the configs below it, for suggestions."""
    names: set[str] = set()
    seen: set[Any] = set()

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind in seen:
                return
            seen.add(kind)
            for name, info in kind.model_fields.items():
                names.add(name)
                visit(info.annotation)
        for inner in get_args(kind):
            visit(inner)

    visit(expected)
    return sorted(names)


def _written_path(location: tuple[int | str, ...], data: Any) -> str:
    """Where an error is, in the names the user wrote: pydantic's location also holds the kinds it went through.

    >>> _written_path(("model", "text_vae", "latent"), {"model": {"kind": "text_vae", "latent": 3}})
    'model.latent'
    """
    path, here = [], data
    for part in location:
        if isinstance(here, Mapping) and part not in here and here.get("kind") == part:
            continue
        path.append(str(part))
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list | tuple) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    written = ".".join(path) or "the top level"
    return written if len(written) <= 120 else written[:117] + "..."


def first_problem(error: ValidationError) -> str:
    """What the first of the problems is, without where."""
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def _explain(error: ValidationError, where: str, expected: Any, data: Any) -> str:
    first = error.errors()[0]
    path = _written_path(first["loc"], data)
    got = first.get("input")
    told = shown(got) if not isinstance(got, Mapping) else "a table"
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        known = _field_names(expected)
        close = difflib.get_close_matches(name, known, n=1)
        cure = f"did you mean '{close[0]}'?" if close else "remove it, or see the installed recipes for what exists."
        if name in known:
            cure = "other tables or kinds have it, and this one does not; remove it, or move it."
        return f"{where}: unknown setting '{path}'; {cure}"
    if first["type"] == "missing":
        return f"{where}: setting '{path}' is missing; add it."
    if first["type"] == "union_tag_invalid":
        context = first.get("ctx", {})
        return (
            f"{where}: '{path}' has kind {shown(context.get('tag'))}; expected one of {context.get('expected_tags')}."
        )
    if first["type"] == "union_tag_not_found":
        return f"{where}: '{path}' needs a 'kind'."
    message = first_problem(error)
    message = message[0].lower() + message[1:]
    more = f" ({error.error_count() - 1} more problems follow.)" if error.error_count() > 1 else ""
    if first["type"] == "value_error" and isinstance(got, Mapping):
        # Settings that are right one by one and do not go together: the sentence names them.
        inside = f"in '{path}', " if first["loc"] else ""
        return f"{where}: {inside}{message}.{more}"
    return f"{where}: setting '{path}' is {told}; {message}.{more}"
