"""New folders: filled under a temporary name, then renamed, so that they appear complete; and cleaning up after a
crash."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from textvae.disk.contents import EVERYTHING, remove_folder
from textvae.disk.locks import LOCK, take
from textvae.disk.markers import MARKER, is_marked, marker_text, not_ours
from textvae.disk.writing import TEMPORARY, flush, flush_folder, machine_errors, temporary_name
from textvae.errors import ConfigError


class FreshFolder:
    """A context with a temporary folder, marked and locked, that `put` renames to its final path.

    Without a call of `put` the folder is removed on leaving the context.

    Args:
        parent: the folder in which the temporary folder is made.
        what: the kind of folder, written into its marker.

    Raises:
        MachineError: the disk is full or broken.

    Attributes:
        path: the temporary folder, to write into.
    """

    def __init__(self, parent: Path, what: str) -> None:
        self.path = parent / temporary_name()
        self._what = what
        self._lock: Any = None
        self._at = self.path

    def __enter__(self) -> FreshFolder:
        with machine_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir()
            try:
                # Lock before marking: `sweep` removes a marked folder without a lock, taking its writer for dead.
                self._lock = take(self.path)
                (self.path / MARKER).write_text(marker_text(self._what), encoding="utf-8")
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def put(self, place: Path) -> None:
        """Sync the folder to the disk and rename it to `place`.

        Raises:
            ConfigError: something is already at `place`.
            MachineError: the disk is full or broken.
        """
        with machine_errors(place):
            flush_folder(self.path)
            rename_folder(self.path, place)
            self._at = place
            (place / LOCK).unlink(missing_ok=True)
            flush(place.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            if self._at == self.path:
                remove_folder(self.path, EVERYTHING)
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def new_folder(folder: Path, what: str) -> None:
    """Make a folder that has its marker from the moment it appears. An empty folder at the path is replaced.

    Raises:
        ConfigError: something else is already at the path.
        MachineError: the disk is full or broken.
    """
    with FreshFolder(folder.parent, what) as fresh:
        fresh.put(folder)


def rename_folder(source: Path, target: Path) -> None:
    """Rename a folder to a path at which there is nothing, or an empty folder.

    Raises:
        ConfigError: something else is at the target.
    """
    try:
        source.rename(target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise not_ours(target) from None
    except OSError:
        if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
            raise not_ours(target) from None
        raise


def sweep(parent: Path) -> None:
    """Remove our temporary folders in `parent` whose writing process has ended."""
    with contextlib.suppress(OSError):
        for path in parent.iterdir():
            if TEMPORARY.fullmatch(path.name) and not path.is_symlink() and path.is_dir() and is_marked(path):
                # Cleaning up is optional: a folder that cannot be removed must not stop the caller.
                with contextlib.suppress(OSError, ConfigError):
                    _remove_unheld(path)


def _remove_unheld(folder: Path) -> None:
    lock = take(folder)
    if lock is not None:
        try:
            remove_folder(folder, EVERYTHING)
        finally:
            lock.release()


def _remove_unmarked(folder: Path) -> None:
    """Remove a temporary folder whose writer died before it had written a complete marker."""
    if {path.name for path in folder.iterdir()} <= {MARKER, LOCK}:
        _remove_unheld(folder)


def remove_unfinished(folder: Path, *, below: bool) -> None:
    """Remove all temporary files and folders in a folder of ours to which no other process writes.

    Args:
        folder: a folder whose lock the caller holds.
        below: whether to clean the folders below it too; all of them must be ours.
    """
    for where, inner, files in os.walk(folder, followlinks=False):
        here = Path(where)
        sweep(here)
        for name in files:
            if TEMPORARY.fullmatch(name) and not (here / name).is_symlink():
                with contextlib.suppress(OSError):
                    (here / name).unlink()
        for name in inner:
            if TEMPORARY.fullmatch(name) and not (here / name).is_symlink():
                with contextlib.suppress(OSError, ConfigError):
                    _remove_unmarked(here / name)
        inner[:] = [name for name in inner if below and not TEMPORARY.fullmatch(name)]
