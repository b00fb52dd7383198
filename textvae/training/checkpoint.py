"""Checkpoints: everything a training needs to go on as if it had never stopped.

A checkpoint is a folder that appears by one rename, with its files and the folder already forced to the disk, so a
crash at any moment leaves only whole ones::

    step-00000123-epoch-0004/
        model.safetensors    the weights
        best.safetensors     the weights of the best epoch so far (a hard link where the disk has them)
        state.pt             optimizer, random states, counters; read with weights_only=True, so nothing in it runs
        checkpoint.json      format, identity of the training, size and checksum of each file

The last two are kept: should the newest be damaged, the one before it serves.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from textvae.errors import MachineError, ModelError

FORMAT = "textvae-checkpoint"
FORMAT_VERSION = 1
MODEL, BEST, STATE, HEADER = "model.safetensors", "best.safetensors", "state.pt", "checkpoint.json"
KEPT = 2
_NAME = re.compile(r"step-(\d{8,})-epoch-(\d{4,})")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found whole.

    Attributes:
        folder: where it is.
        state: what was given to `save`.
        environment: on what machine and with what software it was made.
    """

    folder: Path
    state: dict[str, Any]
    environment: dict[str, Any]

    def load_weights(self, model: nn.Module) -> None:
        load_weights(model, self.folder / MODEL)


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: that holds them.
        identity: what makes this training this one (settings, seed, data). A checkpoint of another is refused.
        environment: machine and software; another one is only warned about.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], environment: dict[str, Any]) -> None:
        self.folder, self.environment = folder, environment
        # Compared after a round trip, because that is what the file holds.
        self.identity = json.loads(json.dumps(identity))
        self._latest: Path | None = None

    def latest(self) -> Checkpoint | None:
        """The newest whole checkpoint, or None where there is none at all.

        Raises:
            ModelError: when there are checkpoints but none is whole, or they are of another training.
        """
        reasons = []
        for folder in self._committed():
            try:
                header = _read_header(folder)
            except ModelError as error:
                reasons.append(str(error))
                continue
            if header["identity"] != self.identity:
                raise ModelError(
                    f"{folder} is of a training with other {_differences(header['identity'], self.identity)}; "
                    f"delete {self.folder} to start afresh, or train into another folder."
                )
            try:
                state = _read_state(folder, header["files"])
            except ModelError as error:
                reasons.append(str(error))
                continue
            for reason in reasons:
                warnings.warn(f"{reason}; resuming from the checkpoint before it.", stacklevel=2)
            self._latest = folder
            return Checkpoint(folder, state, header["environment"])
        if reasons:
            raise ModelError(f"{reasons[0]}; delete {self.folder} to start afresh.")
        return None

    def save(self, model: nn.Module, state: dict[str, Any], *, step: int, epoch: int, is_best: bool) -> None:
        """Write a checkpoint and drop those older than the one before it.

        Args:
            model: its weights.
            state: all the rest: tensors, numbers, strings, and dicts and lists of them.
            step: updates made.
            epoch: epochs validated; with the step it names the checkpoint.
            is_best: whether these weights are the best so far. If not, the best ones are taken over from the last one.

        Raises:
            MachineError: when the disk is full. The checkpoints before stay as they are.
        """
        target = self.folder / f"step-{step:08d}-epoch-{epoch:04d}"
        if target == self._latest:
            return
        fresh = target.with_name(target.name + ".tmp")
        with disk_errors(self.folder):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            save_model(model, str(fresh / MODEL))
            if is_best:
                _link(fresh / MODEL, fresh / BEST)
            elif self._latest is not None and (self._latest / BEST).exists():
                _link(self._latest / BEST, fresh / BEST)
            with (fresh / STATE).open("wb") as stream:
                torch.save(state, stream)
            header = {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "identity": self.identity,
                "environment": self.environment,
                "files": {path.name: _summary(path) for path in sorted(fresh.iterdir())},
            }
            (fresh / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
            for path in fresh.iterdir():
                flush(path)
            flush(fresh)
            shutil.rmtree(target, ignore_errors=True)  # only ever a damaged one, passed over by `latest`
            fresh.rename(target)
            flush(self.folder)
        self._latest = target
        for old in self._committed()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    @property
    def best(self) -> Path | None:
        """The weights of the best epoch as of the last checkpoint."""
        path = None if self._latest is None else self._latest / BEST
        return path if path is not None and path.exists() else None

    def clean(self) -> None:
        """Remove what a crash left half written."""
        for path in self.folder.glob("*.tmp"):
            shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _committed(self) -> list[Path]:
        """Newest first."""
        named = _named(self.folder)
        return [path for _, path in sorted(named, key=lambda pair: (int(pair[0][1]), int(pair[0][2])), reverse=True)]


def has_checkpoints(folder: Path) -> bool:
    """Whether a training that keeps its checkpoints there goes on from one of them, or complains of them all."""
    return bool(_named(folder))


def _named(folder: Path) -> list[tuple[re.Match[str], Path]]:
    if not folder.exists():
        return []
    return [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]


def load_weights(model: nn.Module, path: Path) -> None:
    """Read weights written by a checkpoint into a model of the same shape."""
    try:
        load_model(model, str(path))
    except Exception as error:  # safetensors has errors of its own, and lets torch's and the system's through
        raise ModelError(f"{path} does not fit the model ({str(error).splitlines()[0][:200]})") from None


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        known = header["format"] == FORMAT and header["format_version"] == FORMAT_VERSION
        header["identity"], header["environment"], header["files"][MODEL], header["files"][STATE]
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{path} is missing, truncated or not textvae's") from None
    if not known:
        raise ModelError(
            f"{path} has format {header['format']} {header['format_version']}, not {FORMAT} {FORMAT_VERSION}"
        )
    return header


def _read_state(folder: Path, files: dict[str, Any]) -> dict[str, Any]:
    for name, expected in files.items():
        path = folder / name
        if not path.exists() or _summary(path) != expected:
            raise ModelError(f"{path} is missing, truncated or damaged")
    try:
        return torch.load(folder / STATE, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler met
        raise ModelError(f"{folder / STATE} cannot be read ({type(error).__name__})") from None


def _differences(ours: Any, theirs: Any) -> str:
    """The names of what differs, such as ``config.optimizer``."""
    names = []
    for key in sorted({*ours, *theirs} if isinstance(ours, dict) and isinstance(theirs, dict) else ()):
        left, right = ours.get(key), theirs.get(key)
        if left != right:
            inner = _differences(left, right) if isinstance(left, dict) and isinstance(right, dict) else ""
            names += [f"{key}.{name}" for name in inner.split(", ")] if inner else [key]
    return ", ".join(names)


def _summary(path: Path) -> dict[str, int]:
    """Size and CRC-32 of a file, read in pieces."""
    checksum = 0
    with path.open("rb") as stream:
        while piece := stream.read(2**22):
            checksum = zlib.crc32(piece, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def flush(path: Path) -> None:
    """Force a file or a folder to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn a full disk into a `MachineError`, whichever library met it."""
    try:
        yield
    except MachineError:
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        # safetensors (Rust) and torch's zip writer (C++) report it in words only.
        full = full or any(words in str(error) for words in ("No space left", "os error 28", "quota exceeded"))
        if not full and isinstance(error, RuntimeError) and "PytorchStreamWriter" in str(error):
            full = shutil.disk_usage(where if where.exists() else where.parent).free < 2**20
        if not full:
            raise
        raise MachineError(
            f"no space left on the disk for {where}; free some and run again: training goes on where it was kept last."
        ) from None
