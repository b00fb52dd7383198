"""`textvae run`: bring the runs of recipes up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae import interrupt
from textvae.commands.base import Command
from textvae.commands.options import AsJSON
from textvae.commands.output import print_json, print_line, tell


def run_command(
    recipes: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE...", help="Recipe files, or names of installed ones (demo), one after another."),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting: train.epochs=2, corpus.root=DIR."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The run folder; runs/NAME by default. Of several recipes, their parent."
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="STAGE", help="This stage and what it needs, no other.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run although up to date.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and why, and do nothing.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Run what is out of date of recipes, and nothing else."""

    def say(line: str) -> None:
        interrupt.check()
        if not dry_run:
            tell(line)
        elif not as_json:
            # A dry run is asked for its plan: it is the result.
            print_line(line)

    outcomes = bring_up_to_date(recipes, settings or [], out, only=only, force=force, dry_run=dry_run, say=say)
    if as_json and outcomes:
        print_json(outcomes)


def bring_up_to_date(
    recipes: Sequence[str],
    settings: Sequence[str],
    out: Path | None,
    *,
    only: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = tell,
) -> list[dict[str, Any]]:
    """Run what is out of date of recipes, one after another.

    Args:
        recipes: files, or names of installed recipes.
        settings: laid over each of them, as `NAME=VALUE`.
        out: the run folder, or of several recipes their parent; `runs/NAME` and `runs` when None.
        only: this stage and what it needs, no other.
        force: run although up to date.
        dry_run: make the plan, and do nothing.
        say: takes lines of progress, or the plan of a dry run.

    Returns:
        for each recipe its `name`, its `folder`, its `steps` (`stage`, `runs`, `reason`) and, but for a dry
        run, its `report`, as report.json holds it. Empty in a process that only takes part in another one's training.

    Raises:
        TextVAEError: what is wrong, in one sentence; what was finished before it stays.
    """
    from textvae.disk import read_json
    from textvae.pipeline.processes import leads
    from textvae.pipeline.reading import read_recipe
    from textvae.pipeline.run_folder import REPORT_FILE
    from textvae.pipeline.runner import run_folder_of, run_recipes

    # Asked before the run: at its end each process is on its own.
    is_main = leads()
    read = [read_recipe(name, settings) for name in recipes]
    plans = run_recipes(read, out, only=only, force=force, dry_run=dry_run, say=say)
    if not is_main:
        return []
    outcomes = []
    for recipe, steps in zip(read, plans, strict=True):
        folder = run_folder_of(recipe, out, alone=len(read) == 1)
        outcome: dict[str, Any] = {
            "name": recipe.name,
            "folder": str(folder),
            "steps": [{"stage": step.stage.name, "runs": step.runs, "reason": step.reason} for step in steps],
        }
        if not dry_run:
            outcome["report"] = read_json(folder / REPORT_FILE)
        outcomes.append(outcome)
    return outcomes


COMMAND = Command(run_command, example="RECIPE --set train.epochs=20 --dry-run", prints_if=("--dry-run", "--json"))
