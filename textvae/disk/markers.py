"""The marker of our folders: `.textvae`, a line of JSON with its format, a random id and what the folder is."""

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
"""Bytes of a marker; a longer file is none."""


def what_is(folder: Path) -> str | None:
    """What our marker says that a folder is; None where it bears none."""
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
    """Whether a folder bears our marker."""
    return what_is(folder) is not None


def marker_text(what: str) -> str:
    """A new marker, with an id of its own."""
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, "id": secrets.token_hex(16), "what": what}
    return json.dumps(content) + "\n"


def mark(folder: Path, what: str) -> None:
    """Put our marker into a folder that is there.

    Raises:
        ConfigError: something else has the marker's name.
    """
    if os.path.lexists(folder / MARKER):
        if is_marked(folder):
            return
        raise not_ours(folder / MARKER)
    write_text(folder / MARKER, marker_text(what))


def not_ours(path: Path, error: type[TextVAEError] = ConfigError) -> TextVAEError:
    """The error for a file or folder of somebody else where ours should go."""
    kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "a file"
    return error(
        f"{path} is {kind} that textvae did not write, and it is where textvae writes; move it elsewhere, or choose "
        "another folder."
    )
