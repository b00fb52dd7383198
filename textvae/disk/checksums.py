"""Size and checksum of a file, by which damage is noticed."""

from __future__ import annotations

import zlib
from pathlib import Path


def size_and_crc(path: Path) -> dict[str, int]:
    """`bytes` and `crc32` of a file, read in pieces."""
    checksum = 0
    with path.open("rb") as stream:
        while piece := stream.read(2**22):
            checksum = zlib.crc32(piece, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}
