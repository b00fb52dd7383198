"""`fit`: trains a model on a list of texts, and keeps texts, recipe and run in one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textvae.models import TextVAE


def fit(
    texts: Iterable[str],
    labels: Iterable[str | int | None] | None = None,
    *,
    minutes: float = 10,
    out: str | Path | None = None,
    **settings: Any,
) -> TextVAE:
    """Train a sentence VAE on texts: `textvae new` and `textvae run` in one, for a notebook.

    Args:
        texts: sentences, at least 30 different ones; a tenth is set aside for validation and test.
        labels: a string or a whole number for each text, None or NaN for no label. With labels a classifier is trained
            too.
        minutes: about how long training may take on this machine.
        out: the folder for texts, recipe and run; the first free one of ``runs/fit``, ``runs/fit-2``, ... when None.
            With the same folder and texts, an interrupted training is resumed.
        **settings: override those of the recipe; a dot is written as two underscores, such as ``train__epochs=3``.

    Returns:
        the trained model; the report is in ``out/run/report.html``.

    Raises:
        TextVAEError: the texts, the settings or the machine prevent the fit; the message says what to do.
    """
    import json

    from textvae.arguments import checked_minutes
    from textvae.disk import write_text
    from textvae.errors import DataError
    from textvae.models import TextVAE
    from textvae.pipeline import run
    from textvae.pipeline.new import new_recipe, require_free, require_texts
    from textvae.pipeline.ownership import require_ours
    from textvae.pipeline.stages import STAGES
    from textvae.text.given import checked_labels, checked_texts
    from textvae.text.normalize import normalize

    minutes = checked_minutes(minutes)
    texts = checked_texts(texts, "text")
    labels = None if labels is None else checked_labels(labels, len(texts))
    require_texts(len({normalize(text) for text in texts} - {""}), "fit")
    rows = [{"text": text} for text in texts]
    if labels is not None:
        rows = [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]  # type: ignore[dict-item]
    folder = _fit_folder(None if out is None else Path(out))
    file, recipe = folder / "texts.jsonl", folder / "fit.toml"
    # Before any work: no other program's file may have the name of one that is written here.
    require_free(recipe, force=True)
    require_free(folder / "fit_corpus.toml", force=True)
    require_ours(folder / "run", STAGES, ())
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if not _holds(file, content):
        if os.path.lexists(file):
            raise DataError(
                f"{file} contains other texts, and fit does not overwrite them; choose another out, or remove that "
                "folder."
            )
        write_text(file, content)
    # An existing recipe is kept: a new measurement of the machine could change the epochs, and the trained model would
    # be out of date.
    if not _made_for(recipe, minutes):
        label = "none" if labels is None else "label"
        recipe, _ = new_recipe(file, name="fit", minutes=minutes, out=folder, force=True, text="text", label=label)
        write_text(recipe, recipe.read_text(encoding="utf-8") + _minutes_comment(minutes))
    # All stages are run, because the others take little time beside training.
    run(recipe, folder / "run", {name.replace("__", "."): value for name, value in settings.items()})
    return TextVAE.from_pretrained(folder.absolute() / "run")


def _fit_folder(out: Path | None) -> Path:
    """The folder of a fit: the given one, or a free one."""
    from textvae.disk import claim, new_folder
    from textvae.errors import ConfigError, DataError

    if out is not None:
        claim(out, "fit", (), error=DataError)
        return out
    number = 1
    while True:
        folder = Path("runs") / ("fit" if number == 1 else f"fit-{number}")
        number += 1
        if os.path.lexists(folder):
            continue
        try:
            new_folder(folder, "fit")
        except ConfigError:
            continue  # another process has just made it
        return folder


def _holds(file: Path, content: str) -> bool:
    return file.is_file() and not file.is_symlink() and file.read_bytes() == content.encode()


def _minutes_comment(minutes: float) -> str:
    return f"# For {minutes:g} minutes.\n"


def _made_for(recipe: Path, minutes: float) -> bool:
    """Whether a recipe was made by `fit` for this number of minutes."""
    if recipe.is_symlink() or not recipe.is_file():
        return False
    return recipe.read_bytes().endswith(_minutes_comment(minutes).encode())
