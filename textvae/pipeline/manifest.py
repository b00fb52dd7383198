"""The manifest of a stage's output. It is written last, so an output with a manifest is complete."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from textvae.disk import LOCK, MARKER, finite, flush_folder, read_json, write_json

MANIFEST, BEGUN = "manifest.json", "begun.json"
"""Names of the manifest, and of the file that an unfinished output has in its place: its fingerprint and those of its
inputs."""
FORMAT_VERSION = 1

HASHED_BYTES = 64 * 2**20
"""Bytes. Files up to this size are checked by content, larger ones by size only."""


@dataclass(frozen=True)
class Manifest:
    """Describes a stage's output: what it was made from, its numbers and its files.

    Attributes:
        stage: name of the stage.
        fingerprint: over everything below that determines the output.
        stage_version: of the stage's code.
        package_version: of textvae.
        config: settings with their defaults.
        table: settings as the recipe wrote them. With the same table and versions, `config` is the same too.
        inputs: fingerprints of what was read.
        about: the corpus card. Not in the fingerprint; used to name what changed.
        seed: None where the stage uses no random numbers.
        seconds: wall time of the stage; time between an interruption and the resumption is not counted.
        results: the stage's numbers, as in report.json.
        files: size of each file, and SHA-256 of small ones.
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
        """Wall time, with that before an interruption. The stage's own count is preferred: early versions wrote only
        the time since the last resumption into the manifest."""
        return float(self.results.get("seconds", self.seconds))

    def write(self, folder: Path) -> None:
        """Force everything in the folder to the disk, then write the manifest."""
        flush_folder(folder)
        write_json(folder / MANIFEST, asdict(self))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where it is missing or cannot be read."""
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
    """Size of each file below a folder, and SHA-256 of files of at most `HASHED_BYTES`; markers are left out."""
    described: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in (folder / MANIFEST, folder / BEGUN) and path.name not in (MARKER, LOCK):
            entry: dict[str, Any] = {"bytes": path.stat().st_size}
            if entry["bytes"] <= HASHED_BYTES:
                entry["sha256"] = _sha256(path)
            described[path.relative_to(folder).as_posix()] = entry
    return described


def damage(folder: Path, manifest: Manifest) -> str | None:
    """How the files of a finished stage differ from what was written, as text; None where they do not."""
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != entry["bytes"]:
            return f"{name} has {path.stat().st_size} bytes, expected {entry['bytes']}"
        if "sha256" in entry and _sha256(path) != entry["sha256"]:
            return f"{name} has been changed"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def as_json(value: Any) -> Any:
    """A config or a result as plain JSON values. NaN and infinities are left out of tables."""
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
