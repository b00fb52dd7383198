"""Paths that somebody gave: what is there, and how an error names them.

Only a regular file, or a link to one, is ever opened: anything else could be waited for, or read, for ever.
"""

from __future__ import annotations

import stat
from pathlib import Path

from textvae.printable import printable

MISSING = "does not exist"
"""The problem of a path where there is nothing."""

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
        reason = error.strerror if isinstance(error, OSError) else None
        return MISSING if missing else f"is no path ({reason or error})"
    if stat.S_ISREG(mode):
        return None
    return f"is {next((kind for is_kind, kind in _KINDS if is_kind(mode)), 'no regular file')}, not a file"


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, whatever is wrong with it as a path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def at_home(path: str | Path) -> Path:
    """A path with ``~`` in place of the home folder made whole; as it is where there is no such home.

    >>> at_home("a/b").as_posix(), at_home("~nobody-of-this-name/b").as_posix()
    ('a/b', '~nobody-of-this-name/b')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def shown_path(path: Path | str) -> str:
    """A path as an error names it: cut where it is very long, and without characters that cannot be printed.

    >>> shown_path("a/b.txt"), shown_path("a\\udcffb")
    ('a/b.txt', 'a\\\\udcffb')
    """
    text = str(path)
    return printable(text if len(text) <= 200 else f"{text[:80]}...{text[-80:]}")
