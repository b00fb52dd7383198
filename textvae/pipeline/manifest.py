"""The manifest of a stage's output: written last, so that what has one is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from textvae.disk import LOCK, MARKER, finite, flush_folder, read_json, write_json

MANIFEST, BEGUN = "manifest.json", "begun.json"
"""Of a finished output; and, until the manifest is written, the fingerprint of what is being made and those of what it
is made from."""
FORMAT_VERSION = 1

HASHED_BYTES = 64 * 2**20
"""Files up to this size are checked by content before they are trusted again, larger ones by size."""


@dataclass(frozen=True)
class Manifest:
    """What a stage's output was made from, and of what it consists.

    Attributes:
        stage: whose output it is.
        fingerprint: over everything below that decides the output.
        stage_version: of the stage's code.
        package_version: of textvae.
        config: settings with their defaults.
        table: settings as the recipe wrote them: where they are the same, so is `config`.
        inputs: fingerprints of what was read.
        about: not fingerprinted by itself, but told when it changed (the corpus card).
        seed: None where nothing was drawn.
        seconds: wall time it took, interruptions left out.
        results: the stage's numbers, as in report.json.
        files: size, and SHA-256 where small, of each file.
    """

    stage: str
    fingerprint: str
    stage_version: int
    package_version: str
    config: dict[str, Any]
    table: dict[str, Any]
    inputs: dict[str, str]
    about: dict[str, Any]
    seed: int | None
    seconds: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def total_seconds(self) -> float:
        """Wall time over all sittings. A stage's own count comes first: early versions wrote that of the
        last sitting into the manifest."""
        return float(self.results.get("seconds", self.seconds))

    def write(self, folder: Path) -> None:
        """Flush everything in the folder to the disk, then write the manifest."""
        flush_folder(folder)
        write_json(folder / MANIFEST, asdict(self))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none that can be read."""
    try:
        data = read_json(folder / MANIFEST)
        found = Manifest(**data) if data["format_version"] == FORMAT_VERSION else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if found is not None and _is_well_formed(found) else None


def _is_well_formed(manifest: Manifest) -> bool:
    tables = (manifest.config, manifest.table, manifest.inputs, manifest.about, manifest.results, manifest.files)
    return all(isinstance(table, dict) for table in tables) and all(
        isinstance(entry, dict) and isinstance(entry.get("bytes"), int) for entry in manifest.files.values()
    )


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size of each file below a folder, and SHA-256 of those of at most `HASHED_BYTES`; markers are left out."""
    described: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in (folder / MANIFEST, folder / BEGUN) and path.name not in (MARKER, LOCK):
            entry: dict[str, Any] = {"bytes": path.stat().st_size}
            if entry["bytes"] <= HASHED_BYTES:
                entry["sha256"] = _sha256(path)
            described[path.relative_to(folder).as_posix()] = entry
    return described


def damage(folder: Path, manifest: Manifest) -> str | None:
    """What is wrong with the files of a finished stage, in words; None when they are as they were written."""
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != entry["bytes"]:
            return f"{name} has {path.stat().st_size} bytes, not {entry['bytes']}"
        if "sha256" in entry and _sha256(path) != entry["sha256"]:
            return f"{name} has been changed"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def as_json(value: Any) -> Any:
    """A config or a result as plain JSON values. What is no number (NaN, infinities) is absent from a table."""
    return finite(json.loads(json.dumps(value, default=_plain)))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
