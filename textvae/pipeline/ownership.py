"""Recognizes textvae's own files in a run folder; other files there are never moved, overwritten or deleted.

`recipe.json`, `report.json` and `report.html` are recognized by their content, folders of stages by the marker that
textvae puts into them. Folders from versions without markers are recognized by their manifests.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textvae.disk import (
    LOCK,
    MARKER,
    TEMPORARY,
    foreign_entry,
    held,
    is_lock,
    is_marked,
    mark,
    new_folder,
    not_ours,
    read_json,
    remove_folder,
    remove_unfinished,
    rename_folder,
    temporary_name,
    what_is,
    write_text,
)
from textvae.errors import ConfigError
from textvae.pipeline.manifest import BEGUN, MANIFEST, damage, read_manifest
from textvae.pipeline.run_folder import PAGE_FILE, RECIPE_FILE, REPORT_FILE
from textvae.pipeline.stage import DETAILS, RESULTS, Stage


def partial_of(folder: Path) -> Path:
    """The folder in which a stage writes its output; it is renamed when the output is finished."""
    return folder.with_name(folder.name + ".partial")


def claim_run(out: Path) -> None:
    """Make a run folder, or put the marker into an existing one, which `require_ours` must have accepted."""
    if not os.path.lexists(out):
        try:
            new_folder(out, "run")
        except ConfigError:
            if what_is(out) != "run":  # if it is "run", another process has just made it
                raise
    else:
        mark(out, "run")


def require_ours(out: Path, stages: Sequence[Stage], running: Sequence[Stage]) -> None:
    """Refuse a run folder where a file that textvae did not write has the name of one that the run writes.

    Nothing is written.

    Args:
        out: the run folder; it need not exist.
        stages: all stages of the recipe.
        running: the stages that will run.

    Raises:
        ConfigError: there is such a file; the message names it.
    """
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise ConfigError(f"{out} is a file, expected a folder for the run; choose another with --out.")
    what = what_is(out)
    if what not in (None, "run"):
        raise ConfigError(f"{out} is textvae's folder of a {what}, expected one of a run; choose another with --out.")
    if what is None and os.path.lexists(out / MARKER):
        raise not_ours(out / MARKER)
    if not is_lock(out / LOCK):
        raise not_ours(out / LOCK)
    for name in _CONTENTS:
        require_own_file(out / name)
    for stage in stages:
        for folder in (out / stage.name, partial_of(out / stage.name)):
            if os.path.lexists(folder) and not is_output(folder, stage.name):
                raise not_ours(folder)
    for stage in running:
        for folder in (out / stage.name, partial_of(out / stage.name)):
            require_no_foreign(folder, stage)


def require_own_file(path: Path) -> None:
    """Refuse to overwrite a file of a run folder that textvae did not write.

    Raises:
        ConfigError: textvae did not write it.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file() or not _CONTENTS[path.name](path):
        raise not_ours(path)


def write_own(path: Path, text: str) -> None:
    """Write a file of a run folder.

    Raises:
        ConfigError: a file that textvae did not write has this name.
    """
    require_own_file(path)
    write_text(path, text)


def is_output(folder: Path, stage: str) -> bool:
    """Whether a folder is the output of a stage, finished or not: by its marker, or else by its files."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    what = what_is(folder)
    if what is not None:
        return what == f"stage {stage}"
    manifest = read_manifest(folder)
    if manifest is not None:
        return manifest.stage == stage
    try:
        return isinstance(read_json(folder / BEGUN)["fingerprint"], str)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def files_of(stage: Stage, folder: Path) -> tuple[str, ...]:
    """Patterns of a stage's files in its folder, for `textvae.disk.matches`."""
    manifest = read_manifest(folder)
    listed = () if manifest is None else tuple(manifest.files)
    return (MARKER, LOCK, MANIFEST, RESULTS, DETAILS, BEGUN, *stage.files(), *listed)


def begin_output(partial: Path, stage: Stage) -> None:
    """Make an empty folder for a stage to write into; an earlier output of the stage there is removed."""
    remove_output(partial, stage)
    new_folder(partial, f"stage {stage.name}")


def remove_output(folder: Path, stage: Stage) -> None:
    """Remove a stage's folder.

    Raises:
        ConfigError: it has a file that textvae did not write.
    """
    if os.path.lexists(folder):
        if not is_output(folder, stage.name):
            raise not_ours(folder)
        require_no_foreign(folder, stage)
        mark(folder, f"stage {stage.name}")
        # Renamed to a temporary name first: a crash then leaves no half-removed folder under the stage's name.
        aside, names = folder.with_name(temporary_name()), files_of(stage, folder)
        rename_folder(folder, aside)
        remove_folder(aside, names)


def put_in_place(partial: Path, folder: Path, stage: Stage) -> None:
    """Rename a finished output to the stage's folder; the earlier output is removed only afterwards.

    Raises:
        ConfigError: one of the two folders has a file that textvae did not write.
    """
    for one in (partial, folder):
        require_no_foreign(one, stage)
    mark(partial, f"stage {stage.name}")
    (partial / BEGUN).unlink(missing_ok=True)
    aside, names = None, files_of(stage, folder)
    if os.path.lexists(folder):
        if not is_output(folder, stage.name):
            raise not_ours(folder)
        mark(folder, f"stage {stage.name}")
        aside = folder.with_name(temporary_name())
        rename_folder(folder, aside)
    rename_folder(partial, folder)
    if aside is not None:
        remove_folder(aside, names)


def recover(out: Path, stages: Sequence[Stage]) -> None:
    """After a crash, complete the renames that replace an old output by a new one."""
    for stage in stages:
        folder = out / stage.name
        partial, older = partial_of(folder), folder.with_name(stage.name + ".old")
        if is_output(partial, stage.name):
            finished = read_manifest(partial)
            if finished is not None and damage(partial, finished) is None:
                # The manifest is written last, so this output is complete; only the rename is missing.
                put_in_place(partial, folder, stage)
            elif not os.path.lexists(partial / MARKER):
                mark(partial, f"stage {stage.name}")
        # Earlier versions of textvae left `NAME.old` when they crashed between their two renames, or after them.
        if is_output(older, stage.name):
            if os.path.lexists(folder):
                remove_folder(older, files_of(stage, older))
            else:
                rename_folder(older, folder)
    remove_unfinished(out, below=False)


def tidy(out: Path) -> None:
    """Remove temporary files of a crash from a finished run's folder, unless the folder is locked or read-only."""
    if any(TEMPORARY.fullmatch(path.name) for path in out.iterdir()):
        with contextlib.suppress(OSError, ConfigError), held(out):
            remove_unfinished(out, below=False)


def require_no_foreign(folder: Path, stage: Stage) -> None:
    """Refuse a stage's folder that has a file that textvae did not write. The folder need not exist.

    Raises:
        ConfigError: it has such a file; the message names it.
    """
    if os.path.lexists(folder):
        foreign = foreign_entry(folder, files_of(stage, folder))
        if foreign is not None:
            raise not_ours(foreign)


def _is_recipe(path: Path) -> bool:
    found = _json_of_ours(path, '{\n  "name": ')
    if found is True:
        return True
    return isinstance(found, dict) and {"name", "description", "seed", "corpus"} <= set(found)


def _is_report(path: Path) -> bool:
    found = _json_of_ours(path, '{\n  "run": {')
    if found is True:
        return True
    run = found.get("run") if isinstance(found, dict) else None
    return isinstance(run, dict) and "fingerprints" in run


def _json_of_ours(path: Path, beginning: str) -> Any:
    """The content of a JSON file. For a damaged file: whether it is in a marked folder and begins like textvae's."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return is_marked(path.parent) and _begins(path, beginning)


def _begins(path: Path, beginning: str) -> bool:
    with path.open("rb") as stream:
        found = stream.read(len(beginning.encode()))
    return beginning.encode().startswith(found)  # a shorter file was cut off while it was written


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        beginning = stream.read(2000)
    return "· textvae</title>".encode() in beginning or (is_marked(path.parent) and not beginning)


_CONTENTS = {RECIPE_FILE: _is_recipe, REPORT_FILE: _is_report, PAGE_FILE: _is_page}
