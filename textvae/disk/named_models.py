"""Finding the model that a user names by a run folder, a model folder, or its name on the Hugging Face hub.

Only names and folders are looked at: no model is read, and nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path

from textvae.disk.paths import MISSING, at_home, is_folder, problem_of_file, shown_path
from textvae.errors import ModelError

_HEADER = "config.json"
"""The file by which a folder is known as a model's."""


def find_model(run: str | Path, stage: str = "train") -> Path:
    """The model folder of a finished run, or the model folder itself (or a name on the Hugging Face hub).

    Args:
        run: as the user gave it.
        stage: the stage whose model is found, for a run.

    Raises:
        ModelError: the run has not finished this stage, or the folder is neither a run nor a model.
    """
    folder = settled(at_home(run))
    shown = shown_path(run)
    if stage == "train" and problem_of_file(folder / _HEADER) is None:
        return folder
    model = settled(folder / stage / "model")
    if is_folder(model):
        return model
    beside = run_of_model(folder)
    if stage != "train" and beside is not None and is_folder(beside / stage / "model"):
        return beside / stage / "model"
    if stage == "train" and is_hub_name(run):
        return folder
    if not is_folder(folder):
        problem = problem_of_file(folder) or "is a file, not a folder"
        raise ModelError(f"{shown} {problem}; name a finished run such as runs/NAME, or a model folder.")
    if stage != "train" and (beside is not None or problem_of_file(folder / _HEADER) is None):
        raise ModelError(
            f"{shown} has no finished {stage} stage; add a [{stage}] table to its recipe and run it with `textvae run`."
        )
    if is_folder(folder / "train.partial"):
        raise ModelError(f"{shown} has no finished train stage yet; finish it with `textvae run`.")
    raise ModelError(f"{shown} holds no model; name a finished run such as runs/NAME, or a model folder.")


def is_hub_name(name: str | Path) -> bool:
    """Whether a name can only be one on the Hugging Face hub: it is `OWNER/NAME`, and no such path is here.

    >>> is_hub_name("nobody-of-this-name/verses"), is_hub_name("runs/verses"), is_hub_name("./verses")
    (True, False, False)
    """
    owner, slash, own = str(name).partition("/")
    if not (owner and slash and own) or "/" in own or owner == "runs" or owner.startswith((".", "~")):
        return False
    return problem_of_file(settled(at_home(name))) == MISSING


def run_of_model(folder: Path) -> Path | None:
    """The run folder that a model folder, or the run folder itself, belongs to; None for a model elsewhere."""
    try:
        beside = folder.resolve().parent.parent
    except (OSError, ValueError, RuntimeError):  # not a valid path, or symbolic links in a circle
        return None
    for candidate in (folder, beside):
        if problem_of_file(candidate / "tokenize" / "manifest.json") is None:
            return candidate
    return None


def settled(folder: Path) -> Path:
    """A model folder; or FOLDER.old if only that exists: an earlier version left it after a crash while saving."""
    if not folder.name or problem_of_file(folder) != MISSING:
        return folder
    older = folder.with_name(folder.name + ".old")
    return older if problem_of_file(older / _HEADER) is None else folder
