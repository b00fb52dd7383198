"""Imports go down the ladder only, and the top of the package costs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "textvae"

RUNGS: list[set[str]] = [
    {"types", "errors", "config", "interrupt", "printable", "explain", "parsing", "arguments", "disk"},
    {"distributions", "samplers", "layers", "text"},
    {"encoders", "posteriors", "priors", "decoders", "objectives"},
    {"generation"},
    {"models"},
    {"regularizers", "evaluation"},
    {"training"},
    {"tasks"},
    {"pipeline"},
    {"commands"},
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


def test_distributions_import_nothing_of_ours() -> None:
    for path in (PACKAGE / "distributions").glob("*.py"):
        assert imports_of(path) <= {"distributions"}, path


def test_no_file_is_a_drawer() -> None:
    drawers = {"utils", "helpers", "misc", "common", "util"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in drawers]


@pytest.mark.parametrize("statement", ["import textvae", "import textvae.cli"])
def test_the_top_imports_no_torch(statement: str) -> None:
    check = f"import sys; {statement}; assert 'torch' not in sys.modules, 'torch was imported'"
    subprocess.run([sys.executable, "-c", check], check=True)
