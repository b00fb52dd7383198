"""Where recipes, corpus cards, runs and models are found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from textvae.disk import MISSING, at_home, problem_of_file, shown_path
from textvae.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]


def installed(kind: str) -> Path:
    """The folder of the recipes or the cards that came with the package.

    Args:
        kind: ``recipes`` or ``cards``.
    """
    in_wheel = PACKAGE / f"_{kind}"
    return in_wheel if in_wheel.is_dir() else PACKAGE.parent / {"recipes": "pipelines", "cards": "data"}[kind]


def names_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def _first(name: Path, folders: Iterable[Path], what: str) -> Path | None:
    """The first file of that name, with or without ``.toml``.

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


def find_recipe(name: str | Path) -> Path:
    """A recipe by path, or by name among those installed.

    Raises:
        ConfigError: there is none; it says which there are.
    """
    given = at_home(name)
    found = _first(given, [Path()] if given.is_absolute() else [Path(), installed("recipes")], "recipe")
    if found is None:
        there = names_in(installed("recipes"))
        close = difflib.get_close_matches(given.stem, there, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"name a .toml file, or one of {', '.join(there) or 'none'}."
        raise ConfigError(f"there is no recipe '{shown_path(name)}' here nor among those installed; {hint}")
    return found.resolve()


def find_card(name: str, recipe_folder: Path) -> Path:
    """A corpus card: beside the recipe, in the `data` folder next to it, here, then among those installed.

    Raises:
        ConfigError: there is none; it says which there are.
    """
    here = Path.cwd()
    folders = [recipe_folder, recipe_folder.parent / "data", here, here / "data", installed("cards")]
    found = _first(at_home(name), folders, "corpus card")
    if found is None:
        there = sorted({known for folder in (folders[1], folders[-1]) for known in names_in(folder)})
        close = difflib.get_close_matches(Path(name).stem, there, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(there) or 'none'}."
        raise ConfigError(
            f"there is no corpus card '{shown_path(name)}' beside the recipe nor among those installed; {hint}"
        )
    return found.resolve()
