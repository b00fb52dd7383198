"""Where recipes, corpus cards, runs and models are found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from textvae.disk import MISSING, at_home, is_folder, problem_of_file, shown_path
from textvae.errors import ConfigError, ModelError

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


def find_model(run: str | Path, stage: str = "train") -> Path:
    """The model folder of a finished run, or the model folder itself (or a name on the Hugging Face hub).

    Args:
        run: what the user named.
        stage: which stage's model, when it is a run.

    Raises:
        ModelError: the run has not got that far, or the folder is neither.
    """
    folder = at_home(run)
    shown = shown_path(run)
    if stage == "train" and problem_of_file(folder / "config.json") is None:
        return folder
    if is_folder(folder / stage / "model"):
        return folder / stage / "model"
    beside = run_of_model(folder)
    if stage != "train" and beside is not None and is_folder(beside / stage / "model"):
        return beside / stage / "model"
    if stage != "train":
        raise ModelError(
            f"{shown} has no finished {stage} stage; add a [{stage}] table to its recipe and run it with `textvae run`."
        )
    missing = not is_folder(folder) and problem_of_file(folder)
    if missing == MISSING and str(run).count("/") == 1 and not str(run).startswith((".", "/", "~", "runs/")):
        return folder
    if not is_folder(folder):
        raise ModelError(
            f"{shown} {missing or 'is a file, not a folder'}; name a finished run such as runs/NAME, or a model folder."
        )
    if is_folder(folder / "train.partial"):
        raise ModelError(f"{shown} has no finished train stage yet; finish it with `textvae run`.")
    raise ModelError(f"{shown} holds no model; name a finished run such as runs/NAME, or its runs/NAME/train/model.")


def run_of_model(folder: Path) -> Path | None:
    """The run folder that a model folder, or the run folder itself, belongs to; None for a model elsewhere."""
    try:
        beside = folder.resolve().parent.parent
    except (OSError, ValueError, RuntimeError):  # a path that is none, or links in a circle
        return None
    for candidate in (folder, beside):
        if problem_of_file(candidate / "tokenize" / "manifest.json") is None:
            return candidate
    return None
