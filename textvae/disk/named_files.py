"""Finding recipes and corpus cards by path or by name, and the folders of those that come with the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from textvae.disk.paths import MISSING, problem_of_file, shown_path
from textvae.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]


def installed(kind: Literal["recipes", "cards"]) -> Path:
    """The folder of the recipes or the cards that come with the package, in a wheel or in a checkout."""
    in_wheel = PACKAGE / f"_{kind}"
    return in_wheel if in_wheel.is_dir() else PACKAGE.parent / {"recipes": "pipelines", "cards": "data"}[kind]


def names_in(folder: Path) -> list[str]:
    """The names of a folder's TOML files, in alphabetical order."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def first_file(name: Path, folders: Iterable[Path], what: str) -> Path | None:
    """The first file of a name, with or without ``.toml``, in some folders.

    Args:
        name: a path relative to the folders, or an absolute one.
        folders: the folders to search, in this order.
        what: what the file is, for the error message, such as ``corpus card``.

    Returns:
        the file's path, without following links; None if there is no such file.

    Raises:
        ConfigError: there is no such file, but something else of exactly this name: a folder, a pipe, a device.
    """
    candidates = [folder / file for folder in folders for file in (name, f"{name}.toml")]
    problems = [problem_of_file(candidate) for candidate in candidates]
    if None in problems:
        return candidates[problems.index(None)]
    for candidate, problem in zip(candidates, problems, strict=True):
        if problem and problem != MISSING and candidate.suffix == name.suffix:
            raise ConfigError(f"{what} '{shown_path(name)}' {problem}; give a TOML file, or the name of one.")
    return None
