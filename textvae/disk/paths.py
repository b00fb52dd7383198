"""Checks of paths that users gave, and how error messages name them.

Only regular files, and links to them, are ever opened. Opening a pipe could wait for ever, and reading a device could
never end.
"""

from __future__ import annotations

import stat
from pathlib import Path

from textvae.printable import printable

MISSING = "does not exist"
"""What `problem_of_file` returns for a path at which there is nothing."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def problem_of_file(path: Path) -> str | None:
    """Say why a path cannot be read as a file; None for a regular file or a link to one. Nothing is opened.

    >>> problem_of_file(Path("/nowhere/at/all")), problem_of_file(Path("/"))
    ('does not exist', 'is a folder, not a file')
    """
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return "lies in a folder that may not be read"
    except (OSError, ValueError) as error:
        # OSError: names that are too long, circular links. ValueError: a NUL character.
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = error.strerror if isinstance(error, OSError) else None
        return MISSING if missing else f"is no path ({reason or error})"
    if stat.S_ISREG(mode):
        return None
    return f"is {next((kind for is_kind, kind in _KINDS if is_kind(mode)), 'no regular file')}, not a file"


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False, not an error, for a path that is not valid."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def at_home(path: str | Path) -> Path:
    """Expand ``~`` and ``~user`` to the home folder; the path is unchanged if there is no such user.

    >>> at_home("a/b").as_posix(), at_home("~nobody-of-this-name/b").as_posix()
    ('a/b', '~nobody-of-this-name/b')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def shown_path(path: Path | str) -> str:
    """A path for an error message: shortened to about 160 characters, with unprintable characters as escapes.

    >>> shown_path("a/b.txt"), shown_path("a\\udcffb")
    ('a/b.txt', 'a\\\\udcffb')
    """
    text = str(path)
    return printable(text if len(text) <= 200 else f"{text[:80]}...{text[-80:]}")
