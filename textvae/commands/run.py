"""`textvae run`: runs the stages of recipes that are out of date."""

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
        str | None, typer.Option("--only", metavar="STAGE", help="Only this stage and the stages that it needs.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run stages even if they are up to date.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run and why, and do nothing.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Run the stages of recipes that are out of date, and no others."""

    def say(line: str) -> None:
        interrupt.check()
        if not dry_run:
            tell(line)
        elif not as_json:
            # The result of a dry run is its plan, so it goes to standard output.
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
    """Run the stages that are out of date, one recipe after another.

    Args:
        recipes: files, or names of installed recipes.
        settings: override those of each recipe, as `NAME=VALUE`.
        out: for one recipe its run folder, for several the parent of their run folders; `runs/NAME` when None.
        only: run this stage and the stages that it needs, no others.
        force: run stages even if they are up to date.
        dry_run: make the plan, and do nothing.
        say: called with lines of progress, or of the plan in a dry run.

    Returns:
        for each recipe its `name`, its `folder`, its `steps` (`stage`, `runs`, `reason`) and, except in a dry run,
        its `report`, the content of report.json. Empty in all but the main process.

    Raises:
        TextVAEError: a run failed; the message says why. Outputs that are finished are kept.
    """
    from textvae.disk import read_json
    from textvae.pipeline.processes import leads
    from textvae.pipeline.reading import read_recipe
    from textvae.pipeline.run_folder import REPORT_FILE
    from textvae.pipeline.runner import run_folder_of, run_recipes

    # Before the run, because at its end the process group is gone, and every process would be the main one.
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
