"""Recipes and corpus cards by path or by name, and the folders of those that came with the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from textvae.disk.paths import MISSING, problem_of_file, shown_path
from textvae.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]


def installed(kind: Literal["recipes", "cards"]) -> Path:
    """The folder of the recipes or the cards that came with the package: of the wheel, or of the checkout."""
    in_wheel = PACKAGE / f"_{kind}"
    return in_wheel if in_wheel.is_dir() else PACKAGE.parent / {"recipes": "pipelines", "cards": "data"}[kind]


def names_in(folder: Path) -> list[str]:
    """The names of a folder's TOML files, in alphabetical order."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def first_file(name: Path, folders: Iterable[Path], what: str) -> Path | None:
    """The first file of that name, with or without ``.toml``, in folders that are asked one after another.

    Args:
        name: a path below the folders, or an absolute one.
        folders: in the order they are asked.
        what: what the file is, for the error.

    Returns:
        its path, links not followed; None where there is none.

    Raises:
        ConfigError: there is none, but something else of exactly that name: a folder, a pipe, a device.
    """
    candidates = [folder / file for folder in folders for file in (name, f"{name}.toml")]
    problems = [problem_of_file(candidate) for candidate in candidates]
    if None in problems:
        return candidates[problems.index(None)]
    for candidate, problem in zip(candidates, problems, strict=True):
        if problem and problem != MISSING and candidate.suffix == name.suffix:
            raise ConfigError(f"{what} '{shown_path(name)}' {problem}; give a TOML file, or the name of one.")
    return None
