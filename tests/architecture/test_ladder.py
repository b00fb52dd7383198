"""Imports go down the ladder only and in no circle, files are short, and the top of the package costs no torch."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "textvae"

RUNGS: list[set[str]] = [
    {"types", "results", "errors", "config", "interrupt", "printable", "explain", "parsing", "arguments", "disk"},
    {"distributions", "samplers", "layers", "label_sums", "text"},
    {"augmentations", "encoders", "posteriors", "priors", "decoders", "objectives"},
    {"generation"},
    {"models"},
    {"regularizers", "evaluation"},
    {"training"},
    {"tasks"},
    {"pipeline"},
    {"mapping"},
    {"commands", "sklearn"},
    {"cli"},
]
RUNG_OF = {name: rung for rung, names in enumerate(RUNGS) for name in names}
"""The lowest rung's parts may import one another: types, errors and interrupt import nothing, the others the errors."""


def imports_of(path: Path) -> set[str]:
    """The parts of textvae that a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write textvae.…"
            names = [node.module or ""]
            if node.module == "textvae":
                names = [f"textvae.{alias.name}" for alias in node.names if alias.name in RUNG_OF]
        found |= {name.split(".")[1] for name in names if name.startswith("textvae.")}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in RUNG_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_the_ladder(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in RUNG_OF, f"{own} stands on no rung; add it to the ladder in CONTRIBUTING.md and here"
    for other in imports_of(path) - {own}:
        allowed = RUNG_OF[other] < RUNG_OF[own] or (RUNG_OF[other] == RUNG_OF[own] == 0)
        assert allowed, f"{own} may not import {other}: it is not on a lower rung"


BY_NAME = {"__init__.py", "commands/__init__.py", "pipeline/stages/__init__.py", "models/uses.py"}
"""The files that import modules by a name that is computed: the package's lazy names, two registries, and the methods
of a model, which are functions of the tasks."""


def test_modules_are_imported_by_name_in_four_places_only() -> None:
    """No other file goes round the ladder; the methods of a model look for tasks and for nothing else."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\bimport_module\(|\b__import__\(", path.read_text(encoding="utf-8"))
    }
    assert found == BY_NAME
    said = (PACKAGE / "models" / "uses.py").read_text(encoding="utf-8")
    assert re.findall(r"import_module\(.*\)", said) == ['import_module(f"textvae.tasks.{module}"), name)']


def test_distributions_import_nothing_of_ours() -> None:
    for path in (PACKAGE / "distributions").glob("*.py"):
        assert imports_of(path) <= {"distributions"}, path


def module_of(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from outside_of_functions(child)


def test_no_modules_import_one_another_in_a_circle() -> None:
    """Imports at the top of a module count, those under TYPE_CHECKING too. Imports inside functions do not: they are
    made when all modules are there."""
    modules = {module_of(path): path for path in PACKAGE.rglob("*.py")}
    needed: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = set()
        for node in outside_of_functions(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= inner if inner <= modules.keys() else {str(node.module), *inner}
        found = names & modules.keys() - {module}
        needed[module] = found
    try:
        graphlib.TopologicalSorter(needed).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


LONGEST = 400


def test_no_file_is_long() -> None:
    root = PACKAGE.parent
    lines = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for folder in (PACKAGE, root / "benchmarks")
        for path in folder.rglob("*.py")
    }
    assert not {name: count for name, count in lines.items() if count > LONGEST}


def test_no_file_is_a_drawer() -> None:
    drawers = {"utils", "helpers", "misc", "common", "util"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in drawers]


@pytest.mark.parametrize("statement", ["import textvae", "import textvae.cli"])
def test_the_top_imports_no_torch(statement: str) -> None:
    check = f"import sys; {statement}; assert 'torch' not in sys.modules, 'torch was imported'"
    subprocess.run([sys.executable, "-c", check], check=True)
