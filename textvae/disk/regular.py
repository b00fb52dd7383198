"""What may be opened: a regular file, or a link to one. Anything else could be waited for, or read, for ever."""

from __future__ import annotations

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def problem_of_file(path: Path) -> str | None:
    """What keeps a path from being read as a file, in words; None for a regular file, or a link to one.

    Nothing is opened: to open a pipe would wait for a writer.

    >>> problem_of_file(Path("/nowhere/at/all")), problem_of_file(Path("/"))
    ('does not exist', 'is a folder, not a file')
    """
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return "lies in a folder that may not be read"
    except (OSError, ValueError) as error:
        # Names too long, links in a circle; or a NUL character, which Python itself refuses.
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        return "does not exist" if missing else f"is no path ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISREG(mode):
        return None
    return f"is {next((kind for is_kind, kind in _KINDS if is_kind(mode)), 'no regular file')}, not a file"
