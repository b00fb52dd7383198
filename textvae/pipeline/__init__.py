"""Pipelines: recipes, their stages, and running what is out of date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textvae.pipeline.fitting import fit

__all__ = ["fit", "run"]


def run(
    recipe: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    only: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Run the stages of a recipe that are out of date: the command `textvae run`, from Python.

    Args:
        recipe: a TOML file, the name of an installed recipe (``"demo"``), or nested tables.
        out: the run folder; ``runs/NAME`` when None.
        settings: override those of the recipe, such as ``{"train.epochs": 2}``.
        only: run this stage and the stages that it needs, no others.
        force: run stages even if they are up to date.

    Returns:
        the report, as in ``report.json``.

    Raises:
        TextVAEError: the recipe, the corpus or the machine prevents the run; the message says what to do.
    """
    from textvae.disk import read_json
    from textvae.pipeline.reading import read_recipe
    from textvae.pipeline.runner import run_recipe

    read = read_recipe(recipe, settings or {})
    folder = Path("runs") / read.name if out is None else Path(out)
    run_recipe(read, folder, only=only, force=force)
    return read_json(folder / "report.json")
