"""Files and folders on disk: written whole or not at all, and never somebody else's.

`writing` has atomic files and what a full disk says; `markers` tells our folders from everybody's; `locks` lets one
process at a time into a folder; `fresh` makes a folder that appears whole, by one rename.
"""

from __future__ import annotations

from textvae.disk.fresh import FreshFolder, remove_unfinished, sweep
from textvae.disk.json_files import read_json, write_json
from textvae.disk.locks import LOCK, held
from textvae.disk.markers import (
    MARKER,
    claim,
    foreign_entry,
    is_marked,
    mark,
    matches,
    new_folder,
    remove_folder,
    what_is,
)
from textvae.disk.regular import problem_of_file
from textvae.disk.writing import atomic_path, flush, flush_folder, machine_errors, write_text

__all__ = [
    "LOCK",
    "MARKER",
    "FreshFolder",
    "atomic_path",
    "claim",
    "flush",
    "flush_folder",
    "foreign_entry",
    "held",
    "is_marked",
    "machine_errors",
    "mark",
    "matches",
    "new_folder",
    "problem_of_file",
    "read_json",
    "remove_folder",
    "remove_unfinished",
    "sweep",
    "what_is",
    "write_json",
    "write_text",
]
