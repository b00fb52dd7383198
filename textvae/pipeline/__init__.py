"""Pipelines: recipes, their stages, and running what is out of date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textvae.models import TextVAE

__all__ = ["fit", "run"]


def run(
    recipe: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    only: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Run what is out of date of a recipe: the command `textvae run`, from Python.

    Args:
        recipe: a TOML file, the name of an installed recipe (``"demo"``), or nested tables.
        out: the run folder; ``runs/NAME`` when None.
        settings: laid over the recipe, such as ``{"train.epochs": 2}``.
        only: this stage and what it needs, no other.
        force: run although up to date.

    Returns:
        the report, as in ``report.json``.

    Raises:
        TextVAEError: what is wrong, in one sentence.
    """
    from textvae.pipeline.files import read_json
    from textvae.pipeline.recipe import read_recipe
    from textvae.pipeline.runner import run_recipe

    read = read_recipe(recipe, settings or {})
    folder = Path("runs") / read.name if out is None else Path(out)
    run_recipe(read, folder, only=only, force=force)
    return read_json(folder / "report.json")


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
        texts: sentences, at least 20 different ones; a tenth is set aside for validation and test.
        labels: of each text, a string or a whole number, None for none; with them a classifier is trained as well.
        minutes: about how long training may take on this machine.
        out: where texts, recipe and run are kept; ``runs/fit`` when None.
        **settings: laid over the recipe; a dot is written as two underscores, such as ``train__epochs=3``.

    Returns:
        the trained model; the report is in ``out/run/report.html``.

    Raises:
        TextVAEError: what is wrong, in one sentence.
    """
    import json

    from textvae.arguments import checked_minutes
    from textvae.models import TextVAE
    from textvae.pipeline.files import write_atomically
    from textvae.pipeline.new import new_recipe, require_texts
    from textvae.text.given import checked_labels, checked_texts
    from textvae.text.normalize import normalize

    minutes = checked_minutes(minutes)
    texts = checked_texts(texts, "text")
    labels = None if labels is None else checked_labels(labels, len(texts))
    require_texts(len({normalize(text) for text in texts} - {""}), "fit")
    folder = Path("runs") / "fit" if out is None else Path(out)
    rows = [{"text": text} for text in texts]
    if labels is not None:
        rows = [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]  # type: ignore[dict-item]
    file = folder / "texts.jsonl"
    write_atomically(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    recipe, _ = new_recipe(file, name="fit", minutes=minutes, out=folder, force=True)
    # The pictures and tables of the other stages cost little beside training.
    run(recipe, folder / "run", {name.replace("__", "."): value for name, value in settings.items()})
    return TextVAE.from_pretrained(folder / "run" / "train" / "model")
