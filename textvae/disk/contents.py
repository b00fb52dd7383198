"""Which files in a folder are ours: in a marked folder, those with the names that we give, damaged or not.

Everything else there is somebody's, links among it: we make none.
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
"""The names of the files in a folder where all are ours."""


def matches(name: str, names: Sequence[str]) -> bool:
    """Whether a path is one of those named.

    Args:
        name: relative, with slashes.
        names: patterns part by part, as `fnmatch` has them; a last part `**` stands for everything below.

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
    """The first file, link or empty folder below a folder that is not ours; None when all are.

    Args:
        folder: that bears our marker.
        names: of our files in it, as `matches` takes them; markers and locks are ours everywhere.
    """
    for path in _below(folder):
        if not _ours(path, folder, names):
            return path
    return None


def remove_folder(folder: Path, names: Sequence[str]) -> bool:
    """Remove our files below a folder, and the folders that are empty then; whether nothing is left.

    The marker goes last, so that what a crash leaves of it is still known for ours.
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
    """Whether files of ours may lie below a path.

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
    """Whether it is a file and no link to one."""
    return not path.is_symlink() and path.is_file()


def _below(folder: Path, folders: bool = False) -> list[Path]:
    """Files, links and empty folders below a folder, no link followed; with `folders`, the other folders as well."""
    found = []
    for where, inner, files in os.walk(folder, followlinks=False):
        here = Path(where)
        links = [name for name in inner if (here / name).is_symlink()]
        found += [here / name for name in (*files, *links)]
        if here != folder and (folders or not (inner or files)):
            found.append(here)
    return sorted(found)
