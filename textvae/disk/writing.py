"""Files written whole or not at all, and what a disk that refuses them says."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textvae.errors import MachineError

TEMPORARY = re.compile(r"\.textvae-[0-9a-f]{16}")
"""The names of what is being written. Each is drawn at random, so that no two processes meet in one."""

_FULL = "no space left on the disk while writing {where}; free some, or choose another folder, and run again."
_LIMIT = (
    "{where} would be larger than a file may be here; raise the limit (ulimit -f), or choose another disk, and run "
    "again."
)
_BROKEN = "the disk failed while writing {where} (input/output error); look after that disk, and run again."
_SENTENCES = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EFBIG: _LIMIT, errno.EIO: _BROKEN}
# Rust and C++ report in words what the system reported to them by a number.
_WORDS = {
    "No space left": _FULL,
    "os error 28": _FULL,
    "quota exceeded": _FULL,
    "os error 122": _FULL,
    "File too large": _LIMIT,
    "os error 27": _LIMIT,
    "Input/output error": _BROKEN,
    "os error 5)": _BROKEN,
}


@contextmanager
def machine_errors(where: Path) -> Iterator[None]:
    """Turn a full disk, a file size limit and a broken disk into a `MachineError` of one sentence; other errors pass.

    >>> with machine_errors(Path("data/train.arrow")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
        ...
    textvae.errors.MachineError: no space left on the disk while writing data/train.arrow; free some, or choose \
another folder, and run again.
    """
    try:
        yield
    except MachineError:
        raise
    except Exception as error:
        sentence = _SENTENCES.get(error.errno or 0) if isinstance(error, OSError) else None
        if sentence is None:
            told = str(error)
            sentence = next((found for words, found in _WORDS.items() if words in told), None)
        if sentence is None:
            raise
        raise MachineError(sentence.format(where=where)) from None


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
