"""Files written whole or not at all, and what a disk that refuses them says."""

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
"""The names of what is being written. Each is drawn at random, so that no two processes meet in one."""


@contextmanager
def machine_errors(where: Path) -> Iterator[None]:
    """Turn a full disk, a file size limit and a broken disk into a `MachineError` of one sentence; other errors pass.

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
    """A name for something unfinished.

    >>> bool(TEMPORARY.fullmatch(temporary_name()))
    True
    """
    return f".textvae-{secrets.token_hex(8)}"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success, sync it to the disk and rename it to `path`.

    A crash, an error or Ctrl-C leaves either the old file or none, never half a file. Whether the file that is there
    may be replaced is for the caller to know.

    Raises:
        MachineError: the disk refuses.
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
    """Write a UTF-8 file so that a reader, or a crash, sees the old one or the new one and no half."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    """Force a file or a folder to the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        return  # some systems do not open folders, and some folders may be written but not read
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot flush folders; nothing can be done about it there.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)):
            raise
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Force everything below a folder, and the folder, to the disk."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            flush(path)
