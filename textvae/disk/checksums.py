"""Size and checksum of a file, to detect damage."""

from __future__ import annotations

import zlib
from pathlib import Path


def size_and_crc(path: Path) -> dict[str, int]:
    """The size of a file (`bytes`) and its CRC-32 (`crc32`); the file is read in pieces of 4 MiB."""
    checksum = 0
    with path.open("rb") as stream:
        while piece := stream.read(2**22):
            checksum = zlib.crc32(piece, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}
