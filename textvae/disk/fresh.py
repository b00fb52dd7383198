"""Folders that are made under a temporary name and appear whole, by one rename; and what a crash leaves of them."""

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
    """A temporary folder, marked and locked by its writer, that `put` renames to its place; else it is removed.

    Args:
        parent: the folder that it is made in.
        what: it is, for its marker.

    Raises:
        MachineError: the disk refuses.

    Attributes:
        path: where to write.
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
                # The lock comes first: what is marked and not locked has lost its writer.
                self._lock = take(self.path)
                (self.path / MARKER).write_text(marker_text(self._what), encoding="utf-8")
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def put(self, place: Path) -> None:
        """Force everything to the disk, and rename the folder to its place, where nothing may be.

        Raises:
            ConfigError: there is something.
            MachineError: the disk refuses.
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
    """Make a folder that appears with its marker in it. An empty folder that is there is taken.

    Raises:
        ConfigError: there is something already.
        MachineError: the disk refuses.
    """
    with FreshFolder(folder.parent, what) as fresh:
        fresh.put(folder)


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


def sweep(parent: Path) -> None:
    """Remove temporary folders of ours whose writer is gone."""
    with contextlib.suppress(OSError):
        for path in parent.iterdir():
            if TEMPORARY.fullmatch(path.name) and not path.is_symlink() and path.is_dir() and is_marked(path):
                # What is odd about one of them keeps nobody from his work.
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
    """Remove a temporary folder whose maker died before its marker was written whole."""
    if {path.name for path in folder.iterdir()} <= {MARKER, LOCK}:
        _remove_unheld(folder)


def remove_unfinished(folder: Path, *, below: bool) -> None:
    """Remove everything unfinished in a folder of ours, to which nobody else writes now.

    Args:
        folder: that the caller holds.
        below: also in the folders below it, all of which are ours.
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
