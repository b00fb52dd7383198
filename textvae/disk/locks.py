"""One process at a time in a folder; the system lets go of it when the process ends, however it ends."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textvae.errors import ConfigError

LOCK = ".textvae.lock"


@contextmanager
def held(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a folder of ours.

    Args:
        folder: which.
        patience: seconds to wait for a process that holds it.

    Raises:
        ConfigError: another process holds it, or the lock's name is taken by a file that is not ours.
    """
    lock = take(folder, patience)
    if lock is None:
        raise ConfigError(
            f"another process is running in {folder}; wait until it ends, or choose another folder by --out."
        )
    try:
        yield
    finally:
        lock.release()


def take(folder: Path, patience: float = 0.0) -> Any | None:
    """The lock of a folder, which has a `release()`; None where another process holds it.

    Raises:
        ConfigError: the lock's name is taken by a file that is not ours.
    """
    from filelock import FileLock, Timeout

    path = folder / LOCK
    if not is_lock(path):
        raise ConfigError(f"{path} is not textvae's lock, which is an empty file; move it elsewhere.")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        return None
    return lock


def is_lock(path: Path) -> bool:
    """Whether a lock may be put there: nothing, or an empty file. What has content is somebody's."""
    if not os.path.lexists(path):
        return True
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_size == 0
