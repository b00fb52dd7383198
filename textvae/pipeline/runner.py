"""Runs what is out of date and nothing else; what is finished is never lost."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from textvae.pipeline.duration import duration
from textvae.pipeline.files import put_in_place, read_json, write_json
from textvae.pipeline.lock import locked
from textvae.pipeline.manifest import Manifest, as_json, describe_files, read_manifest, recover
from textvae.pipeline.plan import BEGUN, Step, begun, make_plan
from textvae.pipeline.processes import Team
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.sources import Planned
from textvae.pipeline.stage import RESULTS, Stage, Work

RECIPE_FILE = "recipe.json"
"""In the run folder: the recipe as it was run, for the commands that use the run afterwards."""


def say(line: str) -> None:
    """A line of progress, to standard error."""
    print(line, file=sys.stderr, flush=True)


def run_recipe(
    recipe: Recipe,
    out: Path | None = None,
    *,
    stages: Sequence[Stage] | None = None,
    only: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    planned: Planned | None = None,
    say: Callable[[str], None] = say,
    report: Callable[[Recipe, Path], dict[str, Any]] | None = None,
) -> list[Step]:
    """Bring a run folder up to date.

    Args:
        recipe: what is wanted.
        out: the run folder; `runs/NAME` when None.
        stages: all the stages there are; those of the package when None.
        only: this stage and what it needs, no other.
        force: run although up to date.
        dry_run: say what would run, and why, and do nothing.
        planned: other runs that the same command brings up to date before this one.
        say: takes lines of progress.
        report: rebuilds the report when something ran or it is missing; the package's own when None.

    Returns:
        the plan that was followed.

    Raises:
        TextVAEError: what is wrong, in one sentence; outputs finished before it stay.
    """
    if stages is None:
        from textvae.pipeline.stages import STAGES

        stages = STAGES
    if report is None:
        from textvae.pipeline.report import build_report

        report = build_report
    out = Path("runs") / recipe.name if out is None else out
    if dry_run:
        steps = make_plan(recipe, stages, out, only=only, force=force, planned=planned)
        for step in steps:
            say(str(step))
        return steps
    team = Team()
    # Several processes share a run folder: one of them holds it for all.
    with locked(out) if team.is_main else nullcontext():
        if team.is_main:
            for stage in stages:
                recover(out / stage.name)
        # Everyone plans only when the leftovers of a crash are cleared, and from the same files.
        team.wait()
        steps = make_plan(recipe, stages, out, only=only, force=force, planned=planned)
        team.wait()
        if team.is_main:
            write_json(out / RECIPE_FILE, as_json(recipe.as_tables()))
        began = time.monotonic()
        for i, step in enumerate(steps):
            if not any(later.runs and later.stage.all_processes for later in steps[i:]):
                team.disband()
                if not team.is_main:
                    return steps
            if step.runs and (step.stage.all_processes or team.is_main):
                _run_step(step, recipe, stages, out, team, say)
            elif team.is_main:
                say(str(step))
            # What the main process has made alone, the others may need.
            team.wait()
        team.disband()
        if not team.is_main:
            return steps
        ran = [step for step in steps if step.runs]
        if ran or not _report_is_current(out, steps):
            report(recipe, out)
            say(f"report: {out / 'report.html'}")
        if ran:
            say(f"done: {', '.join(step.stage.name for step in ran)} in {duration(time.monotonic() - began)}.")
        else:
            say("nothing to do: everything is up to date.")
    return steps


def run_recipes(
    recipes: Sequence[Recipe], out: Path | None = None, *, dry_run: bool = False, **options: Any
) -> list[list[Step]]:
    """Bring the run folders of several recipes up to date, one after another.

    Args:
        recipes: what is wanted. One may start from the run of another before it.
        out: their run folders' parent; of a single recipe, the run folder. `runs` and `runs/NAME` when None.
        dry_run: say what would run, and why, and do nothing.
        **options: of `run_recipe`.

    Returns:
        the plans that were followed.

    Raises:
        TextVAEError: what is wrong, in one sentence; runs finished before it stay.
    """

    def each(**options: Any) -> list[list[Step]]:
        plans: list[list[Step]] = []
        planned: dict[Path, str] = {}
        for recipe in recipes:
            folder = out if out is not None and len(recipes) == 1 else (out or Path("runs")) / recipe.name
            plans.append(run_recipe(recipe, folder, planned=planned, **options))
            for step in plans[-1]:
                if step.stage.name == "train":
                    planned[folder.resolve()] = step.draft.fingerprint
        return plans

    if len(recipes) > 1 and not dry_run:
        # All are planned before the first one runs, so that what is wrong with the last is not found tomorrow.
        each(**{**options, "dry_run": True, "say": lambda line: None})
    return each(**options, dry_run=dry_run)


def _run_step(
    step: Step, recipe: Recipe, stages: Sequence[Stage], out: Path, team: Team, say: Callable[[str], None]
) -> None:
    stage, place = step.stage, out / step.stage.name
    partial = place.with_name(stage.name + ".partial")
    if team.is_main:
        say(f"{stage.name}: running {step.reason}")
        _begin(partial, place, step)
    if stage.all_processes:
        team.wait()
    work = Work(
        recipe=recipe,
        config=recipe.configs(stages)[stage.name],
        folder=partial,
        inputs={name: out / name for name in stage.needs},
        seed=recipe.seed,
        say=say,
        is_main=team.is_main,
    )
    began = time.monotonic()
    results = as_json(stage.run(work))
    if not team.is_main:
        return
    # A stage that went on from an earlier sitting, however that one ended, counts its time itself.
    seconds = float(results.get("seconds", time.monotonic() - began))
    (partial / BEGUN).unlink(missing_ok=True)
    write_json(partial / RESULTS, results)
    finished = replace(step.draft, seconds=round(seconds, 3), results=results, files=describe_files(partial))
    finished.write(partial)
    put_in_place(partial, place)
    say(f"{stage.name}: finished in {duration(seconds)}")


def _begin(partial: Path, place: Path, step: Step) -> None:
    """Make the folder a stage writes into, or keep an interrupted one."""
    if step.stage.resumes and begun(place) == step.draft.fingerprint and "--force" not in step.reason:
        return
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_json(partial / BEGUN, {"fingerprint": step.draft.fingerprint, "inputs": step.draft.inputs})


def _report_is_current(out: Path, steps: Sequence[Step]) -> bool:
    try:
        built_from = read_json(out / "report.json")["run"]["fingerprints"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not (out / "report.html").is_file():
        return False
    return all(built_from.get(step.stage.name) == step.draft.fingerprint for step in steps)


def finished_stages(out: Path, names: Sequence[str]) -> dict[str, Manifest]:
    """The manifests of a run folder's finished stages."""
    found = {name: read_manifest(out / name) for name in names}
    return {name: manifest for name, manifest in found.items() if manifest is not None}
