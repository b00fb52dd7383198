"""The base of every configuration (frozen, strict, identified by `kind`), and the upper limits of settings."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from textvae.arguments import LARGEST, shown
from textvae.errors import ConfigError

T = TypeVar("T")

MAX_WIDTH, MAX_LAYERS, MAX_PARTS = 65_536, 100, 10_000
"""Units of a layer, number of layers, number of components. Their memory is allocated before the first training step,
so that a typing error would exhaust it."""
MAX_VOCABULARY, MAX_TOKENS = 10_000_000, 100_000
"""Entries of a tokenizer's vocabulary, and tokens of a sentence."""
MAX_STEPS, MAX_BATCH_TOKENS = 10**12, 10**9
"""Steps, epochs and other counts that take no memory; tokens of one batch."""
MAX_BEAM, MAX_PATH, MAX_SAMPLES = 1000, 10_000, 1_000_000
"""Beam width and number of hypotheses returned; sentences on an interpolation path; latent samples of a bound."""


def _strict_numbers(schema: Any) -> Any:
    """Change a pydantic schema in place: numbers and booleans become strict, whole numbers are at most `LARGEST`."""
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

    Numbers and booleans are not converted, at any depth: where 8 is expected, ``"8"``, ``8.0`` and ``true`` are
    errors. A list is accepted for a tuple, and a string for a path.

    Attributes:
        watched_only: fields that change how a run is logged or saved and not its result, such as `trackers`. They are
            left out of fingerprints, and may differ when an interrupted run is resumed.
        added: fields that came after others had been saved without them, and whose default is what was done before.
            They are written only where they differ from it, so that runs and checkpoints of before are recognized.
    """

    watched_only: ClassVar[frozenset[str]] = frozenset()
    added: ClassVar[frozenset[str]] = frozenset()

    # TOML can express inf and nan. A field for which they are meaningful allows them explicitly.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return _strict_numbers(handler(source))

    @model_serializer(mode="wrap")
    def _without_added_defaults(self, handler: Callable[[Config], dict[str, Any]]) -> dict[str, Any]:
        written = handler(self)
        for name in self.added:
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True):
                written.pop(name, None)
        return written


class Component(Config):
    """Settings of one interchangeable part, such as a posterior or a decoder.

    A subclass lives in the same file as the class it builds and has only the fields that this class accepts. It
    declares `kind: Literal["name"] = "name"`, the name by which recipes choose it and under which it is saved. Its
    `build(...)` method takes as keyword arguments the sizes that only the whole model knows, such as `vocab_size`.
    """

    kind: str

    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}}
    """Settings for the tests of the part's family, by name: each variant makes a small part, and together they use
    every feature of it. The variant with the default settings has the empty name."""


C = TypeVar("C", bound=Component)


def one_of(family: type[Component], names: Mapping[str, object]) -> Any:
    """The union of the settings of all kinds of a family, discriminated by `kind`: a type for pydantic fields.

    A module that imports the settings of every kind and calls this is the family's registry.

    Args:
        family: the base class of the settings.
        names: the module's names (`globals()`); those that are not settings of the family are ignored.

    Raises:
        TypeError: two settings have the same kind.
    """
    found: dict[str, type[Component]] = {}
    for settings in names.values():
        if not (isinstance(settings, type) and issubclass(settings, family)):
            continue
        kind = settings.model_fields["kind"].default
        # An abstract base that several kinds share has no default for `kind`.
        if isinstance(kind, str) and found.setdefault(kind, settings) is not settings:
            raise TypeError(f"{settings.__name__} and {found[kind].__name__} have the same kind {kind!r}")
    # pydantic refuses a discriminator on a union of one member.
    discriminator = Field(discriminator="kind") if len(found) > 1 else Field()
    return Annotated[Union[tuple(found.values())], discriminator]  # noqa: UP007 (made of a tuple)


def kinds_of(registered: Any, family: type[C]) -> dict[str, type[C]]:
    """The settings classes of a family by their kind, taken from the union that `one_of` returned.

    >>> from textvae.objectives import ObjectiveConfig, ObjectiveSettings
    >>> list(kinds_of(ObjectiveConfig, ObjectiveSettings))[:3]
    ['elbo', 'info_vae', 'iwae']
    """
    union = get_args(registered)[0]
    return {settings.model_fields["kind"].default: settings for settings in get_args(union) or (union,)}


def variants_of(registered: Any, family: type[C]) -> dict[str, C]:
    """All `variants` of all kinds in the union that `one_of` returned, named ``kind`` or ``kind-variant``."""
    return {
        f"{kind}-{name}" if name else kind: settings.model_validate(dict(values))
        for kind, settings in kinds_of(registered, family).items()
        for name, values in settings.variants.items()
    }


def parse(expected: type[T] | Any, data: Any, where: str) -> T:
    """Validate `data` as `expected` (a Config, or a union of them).

    Args:
        expected: the type to build.
        data: the value that a TOML or JSON reader returned.
        where: the name of the source in an error message, such as ``recipe demo.toml``.

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
    """The path of a faulty setting as the user wrote it; pydantic's location also contains the kinds of the unions.

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
    """The message of the first problem, without its location."""
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
        # A model validator found valid settings that contradict one another; its message names them.
        inside = f"in '{path}', " if first["loc"] else ""
        return f"{where}: {inside}{message}.{more}"
    return f"{where}: setting '{path}' is {told}; {message}.{more}"
