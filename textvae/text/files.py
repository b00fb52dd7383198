"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textvae.errors import MachineError

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def explain_full_disk(path: Path) -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into a `MachineError` of one sentence; other errors pass.

    >>> with explain_full_disk(Path("/data/train.arrow")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
        ...
    textvae.errors.MachineError: The disk is full while writing /data/train.arrow; free some space, or choose another \
folder with --out.
    """
    try:
        yield
    except OSError as error:
        # pyarrow raises OSError without an errno in some builds, so its text is looked at too.
        if error.errno in _FULL or "No space left" in str(error):
            cure = "free some space, or choose another folder with --out."
            raise MachineError(f"The disk is full while writing {path}; {cure}") from None
        raise


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success, sync it to disk and rename it to `path`.

    A crash, an error or Ctrl-C leaves either the old file or none, never half a file.

    Raises:
        MachineError: the disk is full.
    """
    with explain_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            # mkstemp makes files private to the user; results get the permissions any new file would have.
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write a small UTF-8 file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
