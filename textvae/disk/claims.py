"""Taking a folder for files of ours, which may hold files of others beside them."""

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
    """Make sure that a folder can hold files of ours: made, or marked, or ours already.

    Args:
        folder: which; it may hold other files beside those.
        what: it is, for a new marker.
        names: of our files in it, as `matches` takes them.
        also: what else a folder may be, by its marker, whose files of these names are the same (patterns).
        legacy: tells a folder of ours from before there were markers.
        error: to raise.

    Raises:
        TextVAEError: it is no folder, or files that are not ours have these names.
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
    """What keeps us from writing files of these names into a folder; None when nothing does. Nothing is written.

    Args:
        folder: which; it need not be there.
        names: of our files in it, as `matches` takes them.
        whats: what the folder must be, by its marker, for the files of these names to be ours (patterns).
        legacy: tells a folder whose files they are from what it holds.
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
    """The first obstacle below `here`; folders in which we write nothing are not looked into."""
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
