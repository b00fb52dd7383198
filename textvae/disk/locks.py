"""Locks that admit one process at a time to a folder. The system releases them when the process ends or crashes."""

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
    """A context in which this process holds the lock of a folder of ours.

    Args:
        folder: the folder.
        patience: seconds to wait for a process that holds the lock.

    Raises:
        ConfigError: another process holds the lock, or the lock's name is taken by a file that is not ours.
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
    """Acquire the lock of a folder.

    Args:
        folder: the folder.
        patience: seconds to wait for a process that holds the lock.

    Returns:
        the lock, to be freed by its `release()`; None if another process holds it.

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
    """Whether the path is free for a lock: it does not exist, or is an empty file. Our locks have no content."""
    if not os.path.lexists(path):
        return True
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_size == 0
