"""Runs the stages of a recipe that are out of date. Finished outputs are kept until their replacement is complete."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from textvae.disk import held, read_json, remove_unfinished, write_json
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.closing import PARTS, Closing, Part, in_order
from textvae.pipeline.duration import duration
from textvae.pipeline.manifest import as_json, describe_files, read_manifest
from textvae.pipeline.ownership import (
    BEGUN,
    begin_output,
    claim_run,
    is_output,
    partial_of,
    put_in_place,
    recover,
    remove_output,
    require_no_foreign,
    require_ours,
    tidy,
    write_own,
)
from textvae.pipeline.plan import Step, interrupted_fingerprint, make_plan
from textvae.pipeline.processes import Team, leads
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.run_folder import PAGE_FILE, RECIPE_FILE, REPORT_FILE
from textvae.pipeline.sources import Planned
from textvae.pipeline.stage import RESULTS, Stage, Work
from textvae.printable import printable

_NOTHING = "nothing to do: everything is up to date."
_SHORT: tuple[Part, ...] = ("verdict",)
"""What is said at the end where there was nothing to do."""


def say(line: str) -> None:
    """Print a line of progress to standard error."""
    print(printable(line, lines=True), file=sys.stderr, flush=True)


def run_recipe(
    recipe: Recipe,
    out: Path | None = None,
    *,
    stages: Sequence[Stage] | None = None,
    only: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    planned: Planned | None = None,
    more_follow: bool = False,
    say: Callable[[str], None] = say,
    progress: bool = True,
    report: Callable[[Recipe, Path], dict[str, Any]] | None = None,
) -> list[Step]:
    """Bring a run folder up to date.

    Args:
        recipe: the recipe.
        out: the run folder; `runs/NAME` when None.
        stages: all existing stages; those of the package when None.
        only: run this stage and the stages that it needs, no others.
        force: run stages even if they are up to date.
        dry_run: report what would run and why, and do nothing.
        planned: other runs that the same command brings up to date before this one.
        more_follow: whether the command brings another run up to date after this one: where several processes were
            started, they then stay together.
        say: called with lines of progress.
        progress: whether to draw a progress bar where standard error is a terminal.
        report: builds the report if a stage ran or the report is missing; the package's `build_report` when None.

    Returns:
        the plan.

    Raises:
        TextVAEError: the run failed; the message says why. Outputs that are finished are kept.
    """
    if stages is None:
        from textvae.pipeline.stages import STAGES

        stages = STAGES
    if report is None:
        from textvae.pipeline.report import build_report

        report = build_report
    out = Path("runs") / recipe.name if out is None else out
    asked = [stage for stage in stages if stage.name in recipe.tables]

    def plan() -> list[Step]:
        steps = make_plan(recipe, stages, out, only=only, force=force, planned=planned)
        # Before any work: no file of another program may have the name of one that is written here.
        require_ours(out, asked, [step.stage for step in steps if step.runs])
        return steps

    if dry_run:
        steps = plan()
        for step in steps if leads() else ():
            say(str(step))
        return steps
    team = Team()

    def bring_up_to_date(step: Step) -> None:
        if step.runs:
            _run_step(step, recipe, stages, out, team, say, progress)
        elif team.is_main:
            say(str(step))

    steps = plan()
    finished = _is_finished(recipe, out, steps)
    # No process writes before all have looked: they must agree on what there is to do.
    team.wait()
    if finished:
        # No lock is taken, so that this works on a read-only disk too.
        if team.is_main:
            tidy(out)
            for step in steps:
                say(str(step))
            say(_NOTHING)
            _tell_end(steps, out, say, _SHORT)
        return steps
    if team.is_main:
        claim_run(out)
    # Several processes share a run folder; the main process takes the lock for all.
    with held(out) if team.is_main else nullcontext():
        if team.is_main:
            recover(out, asked)
        # All processes plan again after `recover`, so that their plans are made from the same files.
        team.wait()
        steps = plan()
        team.wait()
        if team.is_main:
            _clear(out, steps)
            write_own(out / RECIPE_FILE, _recipe_text(recipe))
        began = time.monotonic()
        # The steps up to the last one in which all take part: the others need what the main process makes before it.
        shared = max((i for i, step in enumerate(steps, 1) if step.runs and step.stage.all_processes), default=0)
        for step in steps[:shared]:
            if step.stage.all_processes or team.is_main:
                bring_up_to_date(step)
            team.wait()
        if not more_follow:
            team.disband()
        with team.alone():
            if team.is_main:
                for step in steps[shared:]:
                    bring_up_to_date(step)
                ran = [step for step in steps if step.runs]
                if ran or not _report_is_current(out, steps):
                    report(recipe, out)
                    say(f"report: {out / PAGE_FILE}")
                if ran:
                    took = duration(time.monotonic() - began)
                    say(f"done: {', '.join(step.stage.name for step in ran)} in {took}.")
                else:
                    say(_NOTHING)
                _tell_end(steps, out, say, PARTS if ran else _SHORT)
    return steps


def run_recipes(
    recipes: Sequence[Recipe], out: Path | None = None, *, dry_run: bool = False, **options: Any
) -> list[list[Step]]:
    """Bring the run folders of several recipes up to date, one after another.

    Args:
        recipes: the recipes. One may start from the run of another before it.
        out: for one recipe its run folder, for several the parent of their run folders; `runs/NAME` when None.
        dry_run: report what would run and why, and do nothing.
        **options: of `run_recipe`.

    Returns:
        the plans.

    Raises:
        TextVAEError: a run failed; the message says why. Runs that are finished are kept.
    """

    def each(**options: Any) -> list[list[Step]]:
        plans: list[list[Step]] = []
        planned: dict[Path, str] = {}
        for number, recipe in enumerate(recipes, start=1):
            folder = run_folder_of(recipe, out, alone=len(recipes) == 1)
            more_follow = number < len(recipes)
            plans.append(run_recipe(recipe, folder, planned=planned, more_follow=more_follow, **options))
            for step in plans[-1]:
                if step.stage.gives_model:
                    planned[folder.resolve()] = step.draft.fingerprint
        return plans

    if len(recipes) > 1 and not dry_run:
        # All are planned before the first one runs, so that an error in the last recipe is found at once.
        each(**{**options, "dry_run": True, "say": lambda line: None})
    return each(**options, dry_run=dry_run)


def run_folder_of(recipe: Recipe, out: Path | None, *, alone: bool) -> Path:
    """The run folder of one of the recipes of a command.

    Args:
        recipe: the recipe.
        out: see `run_recipes`.
        alone: whether it is the command's only recipe.
    """
    return out if out is not None and alone else (out or Path("runs")) / recipe.name


def _run_step(
    step: Step,
    recipe: Recipe,
    stages: Sequence[Stage],
    out: Path,
    team: Team,
    say: Callable[[str], None],
    progress: bool,
) -> None:
    stage, folder = step.stage, out / step.stage.name
    partial = partial_of(folder)
    if team.is_main:
        say(f"{stage.name}: running {step.reason}")
        _begin(partial, folder, step)
    if stage.all_processes:
        team.wait()
    work = Work(
        recipe=recipe,
        config=checked_settings(recipe, stages)[stage.name],
        folder=partial,
        inputs={name: out / name for name in stage.needs},
        seed=recipe.seed,
        say=say,
        is_main=team.is_main,
        progress=progress,
    )
    began = time.monotonic()
    results = as_json(stage.run(work))
    if not team.is_main:
        return
    # A stage that resumes returns its time, with that before the interruption.
    seconds = float(results.get("seconds", time.monotonic() - began))
    remove_unfinished(partial, below=True)
    # A file that another program put there meanwhile must not be listed in the manifest. The folder is kept: when that
    # file has been moved, the next run resumes the stage.
    require_no_foreign(partial, stage)
    write_json(partial / RESULTS, results)
    finished = replace(step.draft, seconds=round(seconds, 3), results=results, files=describe_files(partial))
    finished.write(partial)
    put_in_place(partial, folder, stage)
    say(f"{stage.name}: finished in {duration(seconds)}")


def _begin(partial: Path, folder: Path, step: Step) -> None:
    """Make the folder that a stage writes into, or keep an interrupted one.

    Args:
        partial: the folder that the stage writes into.
        folder: the stage's folder, to which `partial` is renamed at the end.
        step: of the plan.
    """
    interrupted = interrupted_fingerprint(folder) == step.draft.fingerprint
    if step.stage.resumes and interrupted and "--force" not in step.reason:
        return
    begin_output(partial, step.stage)
    write_json(partial / BEGUN, {"fingerprint": step.draft.fingerprint, "inputs": step.draft.inputs})


def _clear(out: Path, steps: Sequence[Step]) -> None:
    """Remove what is obsolete: interrupted outputs beside outputs that are up to date, and the report of outputs that
    are made again."""
    for step in steps:
        folder = out / step.stage.name
        same = interrupted_fingerprint(folder) in (None, step.draft.fingerprint)
        if not step.runs and (same or not step.stage.resumes) and is_output(partial_of(folder), step.stage.name):
            remove_output(partial_of(folder), step.stage)
        finished = read_manifest(folder) if step.runs else None
        if finished is not None and finished.fingerprint == step.draft.fingerprint:
            # The new output will have the same fingerprint, by which the old report would look current.
            (out / REPORT_FILE).unlink(missing_ok=True)


def _tell_end(steps: Sequence[Step], out: Path, say: Callable[[str], None], parts: Sequence[Part]) -> None:
    """The last lines: what the stages of the plan, which are all up to date now, have found."""
    found: list[Closing] = []
    for stage in (step.stage for step in steps):
        manifest = read_manifest(out / stage.name)
        if manifest is not None:
            found += stage.closing(manifest.results, stage.details(out / stage.name))
    for line in in_order(found, parts):
        say(line)


def _recipe_text(recipe: Recipe) -> str:
    return json.dumps(as_json(recipe.as_tables()), indent=2, ensure_ascii=False) + "\n"


def _is_finished(recipe: Recipe, out: Path, steps: Sequence[Step]) -> bool:
    """Whether there is nothing to run, to write or to remove."""
    if any(step.runs or partial_of(out / step.stage.name).exists() for step in steps):
        return False
    try:
        known = (out / RECIPE_FILE).read_text(encoding="utf-8") == _recipe_text(recipe)
    except (OSError, ValueError):
        known = False
    return known and _report_is_current(out, steps)


def _report_is_current(out: Path, steps: Sequence[Step]) -> bool:
    try:
        built_from = read_json(out / REPORT_FILE)["run"]["fingerprints"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not (out / PAGE_FILE).is_file():
        return False
    return all(built_from.get(step.stage.name) == step.draft.fingerprint for step in steps)
