"""Files and folders on disk: written atomically, and without ever touching a file that textvae did not write.

Files: `writing` (atomic writes, errors of the disk), `json_files`, `checksums`, `paths` (checks of paths that users
gave), `named_files` (recipes and corpus cards by name), `named_models` (runs and models by name), `hub_errors` (the
Hugging Face hub's).

Folders: `markers` (the marker file by which textvae recognizes its folders), `contents` (which files in such a folder
are ours), `claims` (preparing an existing folder for our files), `fresh` (new folders that appear by one rename),
`locks` (one process at a time in a folder).

"Ours" means "written by textvae" throughout this package.
"""

from __future__ import annotations

from textvae.disk.checksums import sha256_of, size_and_crc
from textvae.disk.claims import claim, obstacle
from textvae.disk.contents import EVERYTHING, foreign_entry, matches, remove_folder
from textvae.disk.fresh import FreshFolder, new_folder, remove_unfinished, rename_folder, sweep
from textvae.disk.hub_errors import NO_NAME, hub_errors
from textvae.disk.json_files import finite, no_number, read_json, write_json
from textvae.disk.locks import LOCK, held, is_lock
from textvae.disk.markers import MARKER, is_marked, mark, not_ours, what_is
from textvae.disk.named_files import first_file, installed, names_in
from textvae.disk.named_models import find_model, is_hub_name, run_of_model, settled
from textvae.disk.paths import MISSING, at_home, is_folder, problem_of_file, shown_path
from textvae.disk.writing import (
    TEMPORARY,
    atomic_path,
    flush,
    flush_folder,
    machine_errors,
    temporary_name,
    write_text,
)

__all__ = [
    "EVERYTHING",
    "LOCK",
    "MARKER",
    "MISSING",
    "NO_NAME",
    "TEMPORARY",
    "FreshFolder",
    "at_home",
    "atomic_path",
    "claim",
    "find_model",
    "finite",
    "first_file",
    "flush",
    "flush_folder",
    "foreign_entry",
    "held",
    "hub_errors",
    "installed",
    "is_folder",
    "is_hub_name",
    "is_lock",
    "is_marked",
    "machine_errors",
    "mark",
    "matches",
    "names_in",
    "new_folder",
    "no_number",
    "not_ours",
    "obstacle",
    "problem_of_file",
    "read_json",
    "remove_folder",
    "remove_unfinished",
    "rename_folder",
    "run_of_model",
    "settled",
    "sha256_of",
    "shown_path",
    "size_and_crc",
    "sweep",
    "temporary_name",
    "what_is",
    "write_json",
    "write_text",
]
