"""Preparing a folder for our files; it may also contain files that are not ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from textvae.disk.contents import is_parent_of_ours, is_plain_file, matches
from textvae.disk.fresh import new_folder
from textvae.disk.markers import MARKER, mark, not_ours, what_is
from textvae.disk.writing import TEMPORARY
from textvae.errors import ConfigError, TextVAEError


def claim(
    folder: Path,
    what: str,
    names: Sequence[str],
    *,
    also: Sequence[str] = (),
    legacy: Callable[[Path], bool] = lambda folder: False,
    error: type[TextVAEError] = ConfigError,
) -> None:
    """Make sure that our files can be written into a folder: create the folder, or put our marker into it.

    Args:
        folder: the folder; other files in it are left alone.
        what: the kind of folder, written into a new marker.
        names: patterns of the files that will be written, as `matches` takes them.
        also: patterns of further kinds of folder in which files of these names are ours and may be replaced.
        legacy: recognizes a folder of ours that was written before there were markers.
        error: the error to raise.

    Raises:
        TextVAEError: an `error`. The path is not a folder, or files that are not ours have these names.
    """
    if not os.path.lexists(folder):
        new_folder(folder, what)
        return
    in_the_way = obstacle(folder, names, (what, *also), legacy=legacy)
    if in_the_way is not None:
        raise not_ours(in_the_way, error)
    mark(folder, what)


def obstacle(
    folder: Path, names: Sequence[str], whats: Sequence[str], *, legacy: Callable[[Path], bool] = lambda folder: False
) -> Path | None:
    """The first path that keeps us from writing files of these names into a folder; None if there is none.

    Nothing is written.

    Args:
        folder: the folder, which may not exist yet.
        names: patterns of the files that would be written, as `matches` takes them.
        whats: patterns of the kinds of folder, as the marker names them, in which files of these names are ours.
        legacy: recognizes a folder of ours that was written before there were markers.
    """
    if not os.path.lexists(folder):
        return None
    if not folder.is_dir():
        return folder
    what = what_is(folder)
    if what is None and os.path.lexists(folder / MARKER):
        return folder / MARKER
    ours = (what is not None and any(fnmatchcase(what, pattern) for pattern in whats)) or legacy(folder)
    return _first_obstacle(folder, folder, names, ours)


def _first_obstacle(folder: Path, here: Path, names: Sequence[str], ours: bool) -> Path | None:
    """The first obstacle below `here`; folders that no pattern leads into are not searched."""
    for path in sorted(here.iterdir()):
        if TEMPORARY.fullmatch(path.name):
            continue
        name = path.relative_to(folder).as_posix()
        within, named = is_parent_of_ours(name, names), matches(name, names)
        if path.is_dir() and not path.is_symlink():
            if within and (found := _first_obstacle(folder, path, names, ours)) is not None:
                return found
            if named and not within:
                return path  # a folder where a file of ours goes
        elif (within or named) and not (ours and named and is_plain_file(path)):
            return path
    return None
