"""Types say what is meant: few parameters are Any, each for a reason, and no trait is guessed by getattr."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "textvae"
MOST = 30

PLAIN = "plain JSON or TOML values of any shape"
UNION = "a union of settings that pydantic takes, which no type of Python's describes"
STATE = "every decoder has a state of its own, which only it reads"
FOREIGN = "handed on to another library as it came"
ANY: dict[str, str] = {
    "textvae.cli.warn(where)": FOREIGN,
    "textvae.cli.warn(more)": FOREIGN,
    "textvae.commands.options.parse_options(expected)": UNION,
    "textvae.commands.output.print_json(result)": PLAIN,
    "textvae.commands.whole_file.FileOptions.answer(how)": PLAIN,
    "textvae.config.kinds_of(registered)": UNION,
    "textvae.config.variants_of(registered)": UNION,
    "textvae.config.parse(data)": PLAIN,
    "textvae.disk.json_files.finite(value)": PLAIN,
    "textvae.mapping.files.map_file(settings)": PLAIN,
    "textvae.mapping.ray_data.map_files(options)": "the options of map_file, by name, and plain settings",
    "textvae.models.loading.load(config_type)": UNION,
    "textvae.pipeline.fitting.fit(settings)": PLAIN,
    "textvae.pipeline.manifest.as_json(value)": "settings, results, arrays and numbers, which it makes plain",
    "textvae.pipeline.runner.run_recipes(options)": "the options of run_recipe, by name",
    "textvae.pipeline.settings.assign(value)": PLAIN,
    "textvae.decoders.base.Decoder.step(state)": STATE,
    "textvae.decoders.base.Decoder.select(state)": STATE,
    "textvae.generation.base.SteppingDecoder.step(state)": STATE,
    "textvae.generation.base.SteppingDecoder.select(state)": STATE,
}
"""The parameters of public functions that are Any, and why."""

ALIASES = {"Any", "Any | None", "DecoderState"}
"""What stands for Any in an annotation."""


def parameters(path: Path) -> Iterator[tuple[str, str]]:
    """The parameters of a file's public functions, and their annotations."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")

    def within(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                yield from within(child, f"{name}.{child.name}")
            elif isinstance(child, ast.FunctionDef) and (
                not child.name.startswith("_") or child.name in ("__init__", "__call__")
            ):
                given = child.args
                rest = [argument for argument in (given.vararg, given.kwarg) if argument is not None]
                for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, *rest):
                    if argument.annotation is not None:
                        yield f"{name}.{child.name}({argument.arg})", ast.unparse(argument.annotation)

    yield from within(ast.parse(path.read_text(encoding="utf-8")), module)


def test_few_parameters_are_any_and_each_for_a_reason() -> None:
    found = {name for path in PACKAGE.rglob("*.py") for name, kind in parameters(path) if kind in ALIASES}
    assert found == set(ANY)
    assert len(found) <= MOST


def test_traits_are_declared_and_never_guessed() -> None:
    """`getattr` with a default asks a foreign object: only where errors of other libraries are put into words."""
    guessed = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id == "getattr" and len(node.args) == 3:
                guessed.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert {place.partition(":")[0] for place in guessed} <= {"explain.py"}, guessed
