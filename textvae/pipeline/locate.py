"""Where recipes, corpus cards, runs and models are found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

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


def _first(name: str, folders: Iterable[Path]) -> Path | None:
    for folder in folders:
        for candidate in (folder / name, folder / f"{name}.toml"):
            if candidate.is_file():
                return candidate
    return None


def find_recipe(name: str | Path) -> Path:
    """A recipe by path, or by name among those installed.

    Raises:
        ConfigError: there is none; it says which there are.
    """
    given = Path(name).expanduser()
    found = _first(str(given), [Path()]) or (
        _first(str(given), [installed("recipes")]) if not given.is_absolute() else None
    )
    if found is None:
        there = names_in(installed("recipes"))
        close = difflib.get_close_matches(given.stem, there, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"name a .toml file, or one of {', '.join(there) or 'none'}."
        raise ConfigError(f"there is no recipe '{name}' here nor among those installed; {hint}")
    return found.resolve()


def find_card(name: str, recipe_folder: Path) -> Path:
    """A corpus card: beside the recipe, in the `data` folder next to it, here, then among those installed.

    Raises:
        ConfigError: there is none; it says which there are.
    """
    here = Path.cwd()
    folders = [recipe_folder, recipe_folder.parent / "data", here, here / "data", installed("cards")]
    found = _first(str(Path(name).expanduser()), folders)
    if found is None:
        there = sorted({known for folder in (folders[1], folders[-1]) for known in names_in(folder)})
        close = difflib.get_close_matches(Path(name).stem, there, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(there) or 'none'}."
        raise ConfigError(f"there is no corpus card '{name}' beside the recipe nor among those installed; {hint}")
    return found.resolve()


def find_model(run: str | Path, stage: str = "train") -> Path:
    """The model folder of a finished run, or the model folder itself (or a name on the Hugging Face hub).

    Args:
        run: what the user named.
        stage: which stage's model, when it is a run.

    Raises:
        ModelError: the run has not got that far, or the folder is neither.
    """
    folder = Path(run).expanduser()
    if stage == "train" and (folder / "config.json").exists():
        return folder
    if (folder / stage / "model").is_dir():
        return folder / stage / "model"
    beside = run_of_model(folder)
    if stage != "train" and beside is not None and (beside / stage / "model").is_dir():
        return beside / stage / "model"
    if stage != "train":
        raise ModelError(
            f"{run} has no finished {stage} stage; add a [{stage}] table to its recipe and run it with `textvae run`."
        )
    if not folder.exists() and str(run).count("/") == 1 and not str(run).startswith((".", "/", "~", "runs/")):
        return folder
    if not folder.exists():
        raise ModelError(f"{run} does not exist; name a finished run such as runs/NAME, or a model folder.")
    if (folder / "train.partial").exists():
        raise ModelError(f"{run} has no finished train stage yet; finish it with `textvae run`.")
    raise ModelError(f"{run} holds no model; name a finished run such as runs/NAME, or its runs/NAME/train/model.")


def run_of_model(folder: Path) -> Path | None:
    """The run folder that a model folder, or the run folder itself, belongs to; None for a model elsewhere."""
    for candidate in (folder, folder.resolve().parent.parent):
        if (candidate / "tokenize" / "manifest.json").exists():
            return candidate
    return None
