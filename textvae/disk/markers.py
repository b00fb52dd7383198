"""The marker of our folders: the file `.textvae`, one line of JSON with a format, a random id and the folder's kind."""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from textvae.disk.writing import write_text
from textvae.errors import ConfigError, TextVAEError

MARKER = ".textvae"
FORMAT, FORMAT_VERSION = "textvae-folder", 1
_LONGEST = 1000
"""Bytes of a marker at most; a longer file is not one."""


def what_is(folder: Path) -> str | None:
    """The kind of folder that our marker names, such as ``model``; None without a marker."""
    path = folder / MARKER
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        known = found["format"] == FORMAT and isinstance(found["id"], str) and isinstance(found["what"], str)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found["what"] if known else None


def is_marked(folder: Path) -> bool:
    """Whether a folder has our marker."""
    return what_is(folder) is not None


def marker_text(what: str) -> str:
    """The content of a new marker, with a new random id."""
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, "id": secrets.token_hex(16), "what": what}
    return json.dumps(content) + "\n"


def mark(folder: Path, what: str) -> None:
    """Put our marker into an existing folder, unless it has one.

    Raises:
        ConfigError: a file that is not a marker of ours has the marker's name.
    """
    if os.path.lexists(folder / MARKER):
        if is_marked(folder):
            return
        raise not_ours(folder / MARKER)
    write_text(folder / MARKER, marker_text(what))


def not_ours(path: Path, error: type[TextVAEError] = ConfigError) -> TextVAEError:
    """The error for a file or folder that is not ours, at a path where we would write."""
    kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "a file"
    return error(
        f"{path} is {kind} that textvae did not write, and it is where textvae writes; move it elsewhere, or choose "
        "another folder."
    )
