"""The plan of a run: which stages have to run and why, by comparing fingerprints with the manifests of outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from textvae import __version__
from textvae.disk import read_json
from textvae.errors import ConfigError, ModelError
from textvae.pipeline.checking import checked_settings, require_corpus, require_fitting
from textvae.pipeline.fingerprint import changes, fingerprint
from textvae.pipeline.manifest import Manifest, as_json, damage, read_manifest
from textvae.pipeline.ownership import BEGUN, partial_of
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.sources import SOURCE, Planned, source_fingerprint
from textvae.pipeline.stage import Stage


@dataclass(frozen=True)
class Step:
    """One stage of a plan.

    Attributes:
        stage: the stage.
        runs: whether it has to run.
        reason: why it has to run, or "up to date".
        draft: the manifest that its output has, or will have.
    """

    stage: Stage
    runs: bool
    reason: str
    draft: Manifest

    def __str__(self) -> str:
        return f"{self.stage.name}: {'will run ' if self.runs else ''}{self.reason}"


def make_plan(
    recipe: Recipe,
    stages: Sequence[Stage],
    out: Path,
    *,
    only: str | None = None,
    force: bool = False,
    planned: Planned | None = None,
) -> list[Step]:
    """Compare the stages of a recipe with the outputs in a run folder.

    Args:
        recipe: the recipe.
        stages: all existing stages, in the order in which they run.
        out: the run folder.
        only: plan this stage and the stages that it needs, no others.
        force: run `only` (or all stages) even if up to date.
        planned: other runs that the same command brings up to date before this one.

    Raises:
        ConfigError: the recipe cannot be run; the message says why.
    """
    asked = _asked(recipe, stages, only)
    require_corpus(recipe, asked)
    there = {stage.name: read_manifest(out / stage.name) for stage in asked}
    configs = _configs(recipe, stages, asked, there)
    corpus_fingerprint, about = None, {}
    if any(stage.reads_corpus for stage in asked):
        corpus_fingerprint, about = recipe.corpus.fingerprint(), {"corpus": as_json(recipe.corpus)}
    fingerprints: dict[str, str] = {}
    running: set[str] = set()
    steps = []
    for stage in asked:
        inputs = {name: fingerprints[name] for name in stage.needs}
        if corpus_fingerprint is not None and stage.reads_corpus:
            inputs["corpus"] = corpus_fingerprint
        seed = recipe.seed if stage.uses_seed else None
        config, folder = configs[stage.name], out / stage.name
        forced = force and only in (None, stage.name)
        version, old = stage.version, there[stage.name]
        if old is not None and old.stage_version in stage.keeps and not forced and damage(folder, old) is None:
            made = fingerprint(stage.name, old.stage_version, __version__, config, inputs, seed)
            version = old.stage_version if made == old.fingerprint else stage.version
        fingerprint_of = partial(fingerprint, stage.name, version, __version__, config, seed=seed)
        named, missing = stage.starts_from(config), None
        if named is not None:
            try:
                inputs[SOURCE] = source_fingerprint(named, out.parent, planned or {})
            except ModelError as error:
                missing = error
                inputs |= _remembered_source(folder, there[stage.name], inputs, fingerprint_of)
        fingerprint_ = fingerprint_of(inputs)
        draft = Manifest(
            stage=stage.name,
            fingerprint=fingerprint_,
            stage_version=version,
            package_version=__version__,
            config=config,
            table=as_json(recipe.tables[stage.name]),
            inputs=inputs,
            about=about if stage.reads_corpus else {},
            seed=seed,
        )
        reason = _reason(folder, old, draft, running, forced)
        goes_on = not forced and interrupted_fingerprint(folder) == fingerprint_
        if missing is not None and reason is not None and not goes_on:
            raise ConfigError(f"{recipe.source}: {stage.name}.start_from: {missing}")
        fingerprints[stage.name] = fingerprint_
        if reason is not None:
            running.add(stage.name)
        steps.append(Step(stage, reason is not None, reason or "up to date", draft))
    return steps


def _asked(recipe: Recipe, stages: Sequence[Stage], only: str | None) -> list[Stage]:
    by_name = {stage.name: stage for stage in stages if stage.name in recipe.tables}
    for stage in by_name.values():
        for need in stage.needs:
            if need not in by_name:
                raise ConfigError(f"{recipe.source}: [{stage.name}] needs [{need}], which is missing; add the table.")
    if only is None:
        return list(by_name.values())
    if only not in by_name:
        raise ConfigError(
            f"--only got '{only}', {recipe.source} has {', '.join(by_name) or 'no stages'}; "
            f"name one of these, or add a table [{only}]."
        )
    return with_needs(list(by_name.values()), only)


def with_needs(stages: Sequence[Stage], name: str) -> list[Stage]:
    """A stage, and those among `stages` that it needs, in their order.

    >>> from textvae.pipeline.stages import STAGES
    >>> [stage.name for stage in with_needs(STAGES, "train")]
    ['tokenize', 'train']
    """
    by_name = {stage.name: stage for stage in stages}
    wanted, queue = set(), [name]
    while queue:
        needed = queue.pop()
        wanted.add(needed)
        queue += by_name[needed].needs
    return [stage for stage in stages if stage.name in wanted]


def _configs(
    recipe: Recipe, stages: Sequence[Stage], asked: Sequence[Stage], there: dict[str, Manifest | None]
) -> dict[str, dict[str, Any]]:
    """Settings with their defaults, as JSON.

    Where the recipe's tables and the code versions equal those of the finished outputs, the defaults are equal too.
    They are then taken from the manifests, so that a run with nothing to do need not import torch.
    """
    known = {}
    for stage in asked:
        manifest = there[stage.name]
        if manifest is None or manifest.package_version != __version__:
            break
        if manifest.stage_version not in (stage.version, *stage.keeps):
            break
        if manifest.table != as_json(recipe.tables[stage.name]):
            break
        known[stage.name] = manifest.config
    else:
        return known
    checked = checked_settings(recipe, stages)
    require_fitting(recipe, asked, stages, checked)
    return {
        name: {key: value for key, value in as_json(checked[name]).items() if key not in checked[name].watched_only}
        for name in (stage.name for stage in asked)
    }


def _reason(folder: Path, old: Manifest | None, new: Manifest, running: set[str], forced: bool) -> str | None:
    """Why a stage has to run; None when its output is up to date."""
    if forced:
        return "because of --force"
    if old is None:
        if interrupted_fingerprint(folder) == new.fingerprint:
            return "because it was interrupted; it resumes from its last checkpoint"
        return "because its output is missing" if not folder.exists() else "because its output is damaged: no manifest"
    if old.fingerprint == new.fingerprint:
        harm = damage(folder, old)
        return None if harm is None else f"because its output is damaged: {harm}"
    found = changes(old.config, new.config, new.stage) + changes(old.about, new.about, "")
    if old.seed != new.seed:
        found.append(f"`seed` {old.seed} -> {new.seed}")
    if old.package_version != new.package_version:
        found.append(f"textvae {old.package_version} -> {new.package_version}")
    elif old.stage_version != new.stage_version:
        found.append(f"the stage's code, version {old.stage_version} -> {new.stage_version}")
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return "because " + ", ".join(found[:3]) + more
    for name in sorted({*old.inputs, *new.inputs}):
        if old.inputs.get(name) != new.inputs.get(name):
            if name in running:
                return f"because {name} will run"
            others = {"corpus": "the corpus", SOURCE: "the run it starts from"}
            return f"because {others.get(name, f'the output of {name}')} has changed"
    return "because its manifest has been changed"


def interrupted_fingerprint(folder: Path) -> str | None:
    """The fingerprint of the interrupted output beside a stage's folder; None where there is no such output."""
    return _interrupted(folder)[0]


def _interrupted(folder: Path) -> tuple[str | None, dict[str, str]]:
    """The fingerprint of the interrupted output beside a stage's folder, and the fingerprints of its inputs."""
    try:
        found = read_json(partial_of(folder) / BEGUN)
        return str(found["fingerprint"]), dict(found.get("inputs", {}))
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}


def _remembered_source(
    folder: Path,
    finished: Manifest | None,
    inputs: Mapping[str, str],
    fingerprint_of: Callable[[Mapping[str, str]], str],
) -> dict[str, str]:
    """The fingerprint of the run that a stage started from, where that run was deleted: a finished output, or one
    with a checkpoint, no longer needs the run."""
    known = [] if finished is None else [(finished.fingerprint, finished.inputs)]
    for made, made_from in [*known, _interrupted(folder)]:
        if SOURCE in made_from and fingerprint_of({**inputs, SOURCE: made_from[SOURCE]}) == made:
            return {SOURCE: made_from[SOURCE]}
    return {}
