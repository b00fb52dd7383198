"""Atomic writes of files, and errors of the disk as one sentence."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textvae.errors import MachineError, TextVAEError
from textvae.explain import machine_problem

TEMPORARY = re.compile(r"\.textvae-[0-9a-f]{16}")
"""Names of unfinished files and folders. They are random, so that two processes never use the same one."""


@contextmanager
def machine_errors(where: Path) -> Iterator[None]:
    """Turn errors of a full or broken disk, or of a file size limit, into a `MachineError`; other errors pass through.

    >>> with machine_errors(Path("data/train.arrow")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
        ...
    textvae.errors.MachineError: no space left on the disk while writing data/train.arrow; free some and run the same \
command again.
    """
    try:
        yield
    except TextVAEError:
        raise
    except Exception as error:
        told = machine_problem(error, f" while writing {where}")
        if told is None:
            raise
        raise MachineError(told) from None


def temporary_name() -> str:
    """A new random name for an unfinished file or folder.

    >>> bool(TEMPORARY.fullmatch(temporary_name()))
    True
    """
    return f".textvae-{secrets.token_hex(8)}"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A context with a temporary path beside `path`; on success it is synced to the disk and renamed to `path`.

    A crash, an error or Ctrl-C leaves the old file as it was, never half a new one. An existing file is replaced
    without a check: the caller must know that it is ours.

    Raises:
        MachineError: the disk is full or broken.
    """
    with machine_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(temporary_name())
        try:
            yield temporary
            flush(temporary)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically: a reader sees the old content or the new one, also after a crash."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    """Sync a file or a folder to the disk (`fsync`)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        return  # some systems do not open folders, and some folders may be written but not read
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot sync folders; the rename is then as durable as they make it.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)):
            raise
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Sync a folder and everything below it to the disk."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            flush(path)
