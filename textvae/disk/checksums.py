"""Sizes and checksums of files: CRC-32 to detect damage, SHA-256 to recognize a file."""

from __future__ import annotations

import hashlib
import zlib
from functools import lru_cache
from pathlib import Path


def size_and_crc(path: Path) -> dict[str, int]:
    """The size of a file (`bytes`) and its CRC-32 (`crc32`); the file is read in pieces of 4 MiB."""
    checksum = 0
    with path.open("rb") as stream:
        while piece := stream.read(2**22):
            checksum = zlib.crc32(piece, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, cached as long as it is the same file of the same size and time of change."""
    status = path.stat()
    return _sha256(str(path), status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: str, number: int, size: int, changed_ns: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
