"""One process at a time in a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textvae.errors import ConfigError


@contextmanager
def locked(run_folder: Path) -> Iterator[None]:
    """Hold a run folder; the system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: another process holds it.
    """
    from filelock import FileLock, Timeout

    run_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"another process is running in {run_folder}; wait until it ends, or choose another folder by --out."
        ) from None
    try:
        yield
    finally:
        lock.release()
