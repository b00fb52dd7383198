"""Which folders are ours: each begins with a marker file, and only what it vouches for is ever replaced or removed.

A marker is `.textvae`, a line of JSON with its format, a random id and what the folder is. Inside of a marked folder
the files with names that we give are ours, damaged or not. Everything else there is somebody's, links among it: we
make none.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from textvae.disk.locks import LOCK, take
from textvae.disk.writing import TEMPORARY, flush, machine_errors, temporary_name, write_text
from textvae.errors import ConfigError, TextVAEError

MARKER = ".textvae"
FORMAT, FORMAT_VERSION = "textvae-folder", 1
_LONGEST = 1000
"""Bytes of a marker; a longer file is none."""


def what_is(folder: Path) -> str | None:
    """What our marker says that a folder is; None where it bears none."""
    path = folder / MARKER
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        known = found["format"] == FORMAT and isinstance(found["id"], str) and isinstance(found["what"], str)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found["what"] if known else None


def is_marked(folder: Path) -> bool:
    """Whether a folder bears our marker."""
    return what_is(folder) is not None


def _marker(what: str) -> str:
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, "id": secrets.token_hex(16), "what": what}
    return json.dumps(content) + "\n"


def mark(folder: Path, what: str) -> None:
    """Put our marker into a folder that is there.

    Raises:
        ConfigError: something else has the marker's name.
    """
    if os.path.lexists(folder / MARKER):
        if is_marked(folder):
            return
        raise not_ours(folder / MARKER)
    write_text(folder / MARKER, _marker(what))


def new_folder(folder: Path, what: str) -> None:
    """Make a folder that appears with its marker in it. An empty folder that is there is taken.

    Raises:
        ConfigError: there is something already.
        MachineError: the disk refuses.
    """
    with machine_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.with_name(temporary_name())
        temporary.mkdir()
        # The lock comes first: what is marked and not locked has lost its maker.
        lock = take(temporary)
        try:
            (temporary / MARKER).write_text(_marker(what), encoding="utf-8")
            flush(temporary / MARKER)
            rename_folder(temporary, folder)
            (folder / LOCK).unlink(missing_ok=True)
        except BaseException:
            with contextlib.suppress(OSError):
                for name in (MARKER, LOCK):
                    (temporary / name).unlink(missing_ok=True)
                temporary.rmdir()
            raise
        finally:
            if lock is not None:
                lock.release()
        flush(folder.parent)


def rename_folder(source: Path, target: Path) -> None:
    """Rename a folder to a place where there is nothing, or an empty folder.

    Raises:
        ConfigError: there is something.
    """
    try:
        source.rename(target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise not_ours(target) from None
    except OSError:
        if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
            raise not_ours(target) from None
        raise


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
    if not is_marked(folder):
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
        within, named = _is_parent_of_ours(name, names), matches(name, names)
        if path.is_dir() and not path.is_symlink():
            if within and (found := _first_obstacle(folder, path, names, ours)) is not None:
                return found
            if named and not within:
                return path  # a folder where a file of ours goes
        elif (within or named) and not (ours and named and _is_plain_file(path)):
            return path
    return None


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
        if _ours(path, folder, names) and _is_plain_file(path):
            if path == folder / MARKER:
                markers.append(path)
            else:
                path.unlink(missing_ok=True)
    left = [path for path in _below(folder, folders=True) if path not in markers]
    for path in sorted(left, key=lambda path: len(path.parts), reverse=True):
        if path.is_dir() and not path.is_symlink() and _is_parent_of_ours(path.relative_to(folder).as_posix(), names):
            with contextlib.suppress(OSError):
                path.rmdir()
    for path in markers:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not os.path.lexists(folder)


def not_ours(path: Path, error: type[TextVAEError] = ConfigError) -> TextVAEError:
    """The error for a file or folder of somebody else where ours should go."""
    kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "a file"
    return error(
        f"{path} is {kind} that textvae did not write, and it is where textvae writes; move it elsewhere, or choose "
        "another folder."
    )


def _ours(path: Path, folder: Path, names: Sequence[str]) -> bool:
    name = path.relative_to(folder).as_posix()
    if path.is_symlink():
        return False
    if path.is_dir():  # an empty one
        return _is_parent_of_ours(name, names)
    return path.is_file() and (matches(name, names) or path.name in (MARKER, LOCK))


def _is_parent_of_ours(name: str, names: Sequence[str]) -> bool:
    """
    >>> _is_parent_of_ours("model", ["model/tokenizer/*"]), _is_parent_of_ours("notes", ["model/tokenizer/*"])
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


def _is_plain_file(path: Path) -> bool:
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
