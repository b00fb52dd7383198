"""The finished parts of a file that is being made, kept in a folder beside it until it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from textvae.disk import (
    EVERYTHING,
    atomic_path,
    flush,
    foreign_entry,
    held,
    machine_errors,
    new_folder,
    not_ours,
    read_json,
    remove_folder,
    remove_unfinished,
    rename_folder,
    sweep,
    temporary_name,
    what_is,
    write_json,
)
from textvae.errors import ConfigError
from textvae.mapping.apply import Counts

WHAT = "parts"
"""The kind of folder, as its marker says."""
_JOB, _WHOLE = "job.json", "whole"
_NAMES = (_JOB, "part-*.arrow", _WHOLE, f"{_WHOLE}.gz", f"{_WHOLE}.npy")
_COUNTS = b"textvae.counts"


class Work:
    """The parts of one file that is being made.

    Attributes:
        out: the file.
        folder: of its parts, beside it.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.textvae-parts")

    @contextmanager
    def begun(self, job: dict[str, Any]) -> Iterator[None]:
        """A context in which this process alone works on the file. Parts that were made for another job are removed.

        The folder is removed at the end; after an error it stays, if there are finished parts in it.

        Args:
            job: everything on which the parts depend.

        Raises:
            ConfigError: another process works on it, or something that textvae did not write is in the way.
            MachineError: the disk is full or broken.
        """
        with machine_errors(self.out):
            sweep(self.out.parent)
            if not os.path.lexists(self.folder):
                with suppress(ConfigError):  # another process has just made it
                    new_folder(self.folder, WHAT)
            if self.folder.is_symlink() or what_is(self.folder) != WHAT:
                raise not_ours(self.folder)
            with held(self.folder):
                remove_unfinished(self.folder, below=False)
                if self._job() != job:
                    for pattern in _NAMES:
                        for path in self.folder.glob(pattern):
                            path.unlink()
                    write_json(self.folder / _JOB, job)
                try:
                    yield
                except BaseException:
                    if not self.count():
                        self.remove()
                    raise
                self.remove()

    def _job(self) -> Any:
        try:
            return read_json(self.folder / _JOB)
        except (OSError, ValueError):
            return None

    def count(self) -> int:
        """Number of finished parts, from the first one on without a gap."""
        number = 0
        while self._part(number).is_file():
            number += 1
        return number

    def counts(self, number: int) -> Counts:
        """What happened to the rows of a finished part."""
        with pa.memory_map(str(self._part(number))) as source:
            metadata = pa.ipc.open_file(source).schema.metadata
        return Counts(**json.loads(metadata[_COUNTS]))

    def add(self, number: int, table: pa.Table, counts: Counts) -> None:
        """Keep a part.

        Raises:
            MachineError: the disk is full or broken.
        """
        table = table.replace_schema_metadata({_COUNTS: json.dumps(asdict(counts))})
        with (
            atomic_path(self._part(number)) as path,
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)

    def schemas(self) -> list[pa.Schema]:
        """The schemas of the finished parts, each once, without reading the parts."""
        found: dict[pa.Schema, None] = {}
        for number in range(self.count()):
            with pa.memory_map(str(self._part(number))) as source:
                found[pa.ipc.open_file(source).schema.remove_metadata()] = None
        return list(found)

    def tables(self) -> Iterator[pa.Table]:
        """The finished parts in order; one at a time is in memory."""
        for number in range(self.count()):
            with pa.OSFile(str(self._part(number))) as source:
                yield pa.ipc.open_file(source).read_all()

    def whole(self, ending: str = "") -> Path:
        """Where a complete file is made; nothing is there."""
        path = self.folder / f"{_WHOLE}{ending}"
        path.unlink(missing_ok=True)
        return path

    def require_free(self, out: Path, ending: str = "") -> None:
        """Refuse to write where something is, unless this work has put it there.

        Args:
            out: where a complete file will be put.
            ending: of `whole`.

        Raises:
            ConfigError: something else is there.
        """
        path = self.folder / f"{_WHOLE}{ending}"
        ours = what_is(self.folder) == WHAT and path.is_file() and out.is_file() and path.samefile(out)
        if os.path.lexists(out) and not ours:
            raise exists(out)

    def put(self, whole: Path, out: Path) -> None:
        """Give a complete file its place.

        Raises:
            ConfigError: something is there.
            MachineError: the disk is full or broken.
        """
        with machine_errors(out):
            flush(whole)
            try:
                # A link, unlike a rename, replaces nothing.
                os.link(whole, out)
            except FileExistsError:
                raise exists(out) from None
            except OSError:
                # A file system without hard links.
                if os.path.lexists(out):
                    raise exists(out) from None
                whole.rename(out)
            flush(out.parent)

    def remove(self) -> None:
        """Remove the folder of the parts; what a crash leaves of it is removed by the next work beside it."""
        with suppress(OSError, ConfigError):
            if foreign_entry(self.folder, _NAMES) is not None:
                remove_folder(self.folder, _NAMES)  # somebody's files in it stay where they are
                return
            going = self.folder.with_name(temporary_name())
            # By one rename: a folder that has lost some of its files would not know its own output.
            rename_folder(self.folder, going)
            remove_folder(going, EVERYTHING)

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.arrow"


def exists(out: Path) -> ConfigError:
    """The error for a file that is in the place of the one to be written."""
    return ConfigError(f"{out} exists, and textvae does not overwrite it; choose another --out, or move it away.")
