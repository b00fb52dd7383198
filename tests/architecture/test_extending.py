"""The examples of docs/extending.md are added by one file and one line each, and pass the tests of their families."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"


@dataclass(frozen=True)
class Example:
    """A part that the page adds.

    Attributes:
        heading: of its section.
        registry: the file that its line goes into.
        before: what the line stands before: any line of the registry's own would do.
        tests: that run over the registry, as pytest takes them.
    """

    heading: str
    registry: str
    before: str
    tests: tuple[str, ...]


FAMILIES = ("tests/contracts", "tests/theorems", "-k")
EXAMPLES = {
    "laplace": Example(
        "A posterior",
        "textvae/posteriors/__init__.py",
        "from textvae.posteriors.mixture",
        (*FAMILIES, "laplace"),
    ),
    "capacity": Example(
        "An objective",
        "textvae/objectives/__init__.py",
        "from textvae.objectives.elbo",
        (*FAMILIES, "capacity or objective_is_refused or wrong_are_refused"),
    ),
    "paragraphs": Example(
        "A corpus kind",
        "textvae/text/corpora/__init__.py",
        "from textvae.text.corpora.separated",
        ("tests/unit/text", "-k", "paragraphs"),
    ),
    "lengths": Example(
        "A stage",
        "textvae/pipeline/stages/__init__.py",
        '    "interpolate",',
        ("tests/contracts/test_stages.py",),
    ),
    "length": Example(
        "A command",
        "textvae/commands/__init__.py",
        '    "classify",',
        ("tests/contracts/test_commands.py", "-k", "length"),
    ),
}


def of_the_page(example: Example) -> tuple[str, str, str]:
    """The path of an example's file, its code, and the line of the registry."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {example.heading}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.S)
    line = re.findall(r"```text\n(.*?)\n```", section, flags=re.S)[0]
    (path,) = re.findall(r"`(textvae/[\w/]+\.py)`", section.partition("```python")[0])
    assert "\n" not in line
    return path, code, line


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_part_is_one_file_and_one_line(name: str, tmp_path: Path) -> None:
    """In a copy of the project the file is written and the line put in, and the family's tests run over the part."""
    example = EXAMPLES[name]
    path, code, line = of_the_page(example)
    for folder in ("textvae", "tests", "pipelines", "data", "docs", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "CONTRIBUTING.md", "README.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    assert not (tmp_path / path).exists()
    (tmp_path / path).write_text(code, encoding="utf-8")
    registry = tmp_path / example.registry
    before, found, after = registry.read_text(encoding="utf-8").partition(f"\n{example.before}")
    assert found
    registry.write_text(f"{before}\n{line}{found}{after}", encoding="utf-8")
    print(f"new file {path} ({len(code.splitlines())} lines); one line in {example.registry}: {line.strip()}")

    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for command in (
        (sys.executable, "-m", "ruff", "check", "--quiet", path, example.registry),
        (sys.executable, "-m", "ruff", "format", "--check", "--quiet", path, example.registry),
        (sys.executable, "-m", "mypy", path, example.registry),
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *example.tests),
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted and int(counted[1]) >= 5, done.stdout
    print(f"{counted[1]} tests of the family passed")
