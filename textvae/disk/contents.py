"""Which files in a folder are ours: in a marked folder, those with names that we use, whatever they contain.

Every other file there belongs to somebody else. So does every link, because textvae makes none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from textvae.disk.locks import LOCK
from textvae.disk.markers import MARKER
from textvae.disk.writing import TEMPORARY

EVERYTHING = ("**",)
"""The pattern for a folder in which every file is ours."""


def matches(name: str, names: Sequence[str]) -> bool:
    """Whether a path matches one of the patterns. Names of unfinished files (`TEMPORARY`) always match.

    Args:
        name: a relative path, with slashes.
        names: patterns whose parts are matched one by one with `fnmatch`; a last part `**` matches everything below.

    >>> matches("model/config.json", ["model/*.json"]), matches("a/b/c", ["a/**"]), matches("a/b/c", ["a/*"])
    (True, True, False)
    """
    parts = name.split("/")
    if any(TEMPORARY.fullmatch(part) for part in parts):
        return True
    for pattern in names:
        wanted = pattern.split("/")
        if wanted[-1] == "**":
            if len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted[:-1])):
                return True
        elif len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
            return True
    return False


def foreign_entry(folder: Path, names: Sequence[str]) -> Path | None:
    """The first file, link or empty folder below a folder that is not ours; None if all of them are ours.

    Args:
        folder: a folder with our marker.
        names: patterns of our files in it, as `matches` takes them; markers and locks are always ours.
    """
    for path in _below(folder):
        if not _ours(path, folder, names):
            return path
    return None


def remove_folder(folder: Path, names: Sequence[str]) -> bool:
    """Remove our files below a folder, then the folders that have become empty.

    The marker is removed last, so that the rest is still recognized as ours after a crash.

    Args:
        folder: a folder with our marker.
        names: patterns of our files in it, as `matches` takes them.

    Returns:
        whether the folder itself is gone.
    """
    markers = []
    for path in _below(folder):
        if _ours(path, folder, names) and is_plain_file(path):
            if path == folder / MARKER:
                markers.append(path)
            else:
                path.unlink(missing_ok=True)
    left = [path for path in _below(folder, folders=True) if path not in markers]
    for path in sorted(left, key=lambda path: len(path.parts), reverse=True):
        if path.is_dir() and not path.is_symlink() and is_parent_of_ours(path.relative_to(folder).as_posix(), names):
            with contextlib.suppress(OSError):
                path.rmdir()
    for path in markers:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not os.path.lexists(folder)


def _ours(path: Path, folder: Path, names: Sequence[str]) -> bool:
    name = path.relative_to(folder).as_posix()
    if path.is_symlink():
        return False
    if path.is_dir():  # an empty one
        return is_parent_of_ours(name, names)
    return path.is_file() and (matches(name, names) or path.name in (MARKER, LOCK))


def is_parent_of_ours(name: str, names: Sequence[str]) -> bool:
    """Whether some pattern could match a path below this one.

    >>> is_parent_of_ours("model", ["model/tokenizer/*"]), is_parent_of_ours("notes", ["model/tokenizer/*"])
    (True, False)
    """
    parts = name.split("/")
    if any(TEMPORARY.fullmatch(part) for part in parts):
        return True
    for pattern in names:
        wanted = pattern.split("/")
        if len(parts) < len(wanted) and all(map(fnmatchcase, parts, wanted)):
            return True
        if wanted[-1] == "**" and all(map(fnmatchcase, parts, wanted[:-1])):
            return True
    return False


def is_plain_file(path: Path) -> bool:
    """Whether the path is a regular file, not a link to one."""
    return not path.is_symlink() and path.is_file()


def _below(folder: Path, folders: bool = False) -> list[Path]:
    """Files, links and empty folders below a folder, without following links; `folders` adds the other folders."""
    found = []
    for where, inner, files in os.walk(folder, followlinks=False):
        here = Path(where)
        links = [name for name in inner if (here / name).is_symlink()]
        found += [here / name for name in (*files, *links)]
        if here != folder and (folders or not (inner or files)):
            found.append(here)
    return sorted(found)
