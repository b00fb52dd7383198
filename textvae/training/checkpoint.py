"""Checkpoints: everything that training needs to resume exactly where it stopped.

A checkpoint is a folder. It is written under a temporary name, forced to the disk and then renamed, so after a crash
at any moment all checkpoints are complete::

    step-00000123-epoch-0004/
        .textvae             marks the folder as textvae's own
        model.safetensors    the weights
        best.safetensors     the weights of the best epoch so far (a hard link where the disk has them)
        state.pt             optimizer, random states, counters; read with weights_only=True, which runs no code in it
        checkpoint.json      format, identity of the training, size and checksum of each file

The last two are kept: if the newest is damaged, training resumes from the one before it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from textvae.disk import (
    LOCK,
    MARKER,
    FreshFolder,
    claim,
    is_marked,
    machine_errors,
    read_json,
    remove_folder,
    size_and_crc,
    sweep,
    write_json,
)
from textvae.errors import ModelError
from textvae.models.weights import read_weights, write_weights

FORMAT = "textvae-checkpoint"
FORMAT_VERSION = 1
MODEL, BEST, STATE, HEADER = "model.safetensors", "best.safetensors", "state.pt", "checkpoint.json"
KEPT = 2
_NAME = re.compile(r"step-(\d{8,})-epoch-(\d{4,})")
_FILES = (MODEL, BEST, STATE, HEADER, MARKER, LOCK)
_FOLDERS = [f"step-{'[0-9]' * steps}-epoch-{'[0-9]' * epochs}" for steps in (8, 9, 10) for epochs in (4, 5, 6)]
FILES = (MARKER, LOCK, *(f"{folder}/{name}" for folder in _FOLDERS for name in _FILES))
"""Patterns of the files in a folder of checkpoints, for `textvae.disk.matches`."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found complete.

    Attributes:
        folder: where it is.
        state: the state that was given to `save`.
        environment: the machine and software with which it was written.
    """

    folder: Path
    state: dict[str, Any]
    environment: dict[str, Any]

    def load_weights(self, model: nn.Module) -> None:
        load_weights(model, self.folder / MODEL)


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: contains the checkpoints.
        identity: settings, seed and data of the training. A checkpoint with another identity is refused.
        environment: machine and software. A checkpoint from another environment is read, with a warning.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], environment: dict[str, Any]) -> None:
        self.folder, self.environment = folder, environment
        # JSON turns tuples into lists, so the identity is compared after a round trip.
        self.identity = json.loads(json.dumps(identity))
        self._latest: Path | None = None

    def latest(self) -> Checkpoint | None:
        """The newest complete checkpoint, or None where there are no checkpoints.

        Raises:
            ModelError: there are checkpoints but all are damaged, or they are of another training.
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
                    f"{folder} is a checkpoint of a training with other "
                    f"{_differences(header['identity'], self.identity)}; "
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
        """Write a checkpoint and remove all but the last two.

        Args:
            model: whose weights are written.
            state: everything else: tensors, numbers, strings, and dicts and lists of them.
            step: updates made.
            epoch: epochs validated; with the step it names the checkpoint.
            is_best: whether these weights are the best so far. If not, the best weights of the last checkpoint are
                kept.

        Raises:
            MachineError: the disk is full, or cannot be written. Earlier checkpoints are kept.
            ModelError: a weight is NaN or infinite.
        """
        target = self.folder / f"step-{step:08d}-epoch-{epoch:04d}"
        if target == self._latest:
            return
        with machine_errors(self.folder):
            claim(self.folder, "checkpoints", FILES, legacy=_all_ours)
            with FreshFolder(self.folder, "checkpoint") as fresh:
                self._write(fresh.path, model, state, is_best)
                if target.exists():  # it is damaged: `latest` passed over it
                    _remove(target)
                fresh.put(target)
        self._latest = target
        for old in self._committed()[KEPT:]:
            _remove(old)

    def _write(self, folder: Path, model: nn.Module, state: dict[str, Any], is_best: bool) -> None:
        write_weights(model, folder / MODEL)
        if is_best:
            _link(folder / MODEL, folder / BEST)
        elif self._latest is not None and (self._latest / BEST).exists():
            _link(self._latest / BEST, folder / BEST)
        with (folder / STATE).open("wb") as stream:
            _save_state(state, stream)
        header = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "identity": self.identity,
            "environment": self.environment,
            "files": {name: size_and_crc(folder / name) for name in (MODEL, BEST, STATE) if (folder / name).exists()},
        }
        write_json(folder / HEADER, header)

    @property
    def best(self) -> Path | None:
        """The weights of the best epoch as of the last checkpoint."""
        path = None if self._latest is None else self._latest / BEST
        return path if path is not None and path.exists() else None

    def clean(self) -> None:
        """Remove incomplete folders that a crash left."""
        sweep(self.folder)
        for path in self.folder.glob("*.tmp"):  # the temporary name in versions without markers
            if _NAME.fullmatch(path.stem) and not path.is_symlink() and path.is_dir():
                _remove(path)

    def remove(self) -> None:
        """Remove all checkpoints; files that textvae did not write are kept."""
        self.clean()
        for folder in self._committed():
            _remove(folder)
        # The checkpoints are gone, so any file with a name like theirs is not textvae's and is kept.
        remove_folder(self.folder, (MARKER, LOCK))

    def _committed(self) -> list[Path]:
        """The folders of checkpoints, newest first."""
        named = _named(self.folder)
        return [path for _, path in sorted(named, key=lambda pair: (int(pair[0][1]), int(pair[0][2])), reverse=True)]


def has_checkpoints(folder: Path) -> bool:
    """Whether a folder has checkpoints, complete or damaged."""
    return bool(_named(folder))


def _named(folder: Path) -> list[tuple[re.Match[str], Path]]:
    if not folder.exists():
        return []
    found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return [(match, path) for match, path in found if match and path.is_dir() and not path.is_symlink()]


def _all_ours(folder: Path) -> bool:
    """Whether a folder without a marker contains textvae's checkpoints, from a version without markers."""
    return any(is_marked(path) or (path / HEADER).is_file() for _, path in _named(folder))


def _remove(folder: Path) -> None:
    """Remove one checkpoint; files that textvae did not write are kept."""
    remove_folder(folder, _FILES)


def load_weights(model: nn.Module, path: Path) -> None:
    """Read weights written by a checkpoint into a model of the same shape."""
    try:
        read_weights(model, path)
    except ModelError as error:
        if str(error).endswith("."):
            raise
        raise ModelError(f"{error}, so it does not fit the model") from None


class _Recording:
    """A stream that keeps its first OSError: torch's writer reports only that writing failed, not why."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._stream.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self._stream.flush()


def _save_state(state: dict[str, Any], stream: IO[bytes]) -> None:
    recording = _Recording(stream)
    try:
        torch.save(state, recording)  # type: ignore[arg-type]
        stream.flush()
    except Exception:
        if recording.error is not None:
            raise recording.error from None
        raise


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    try:
        header = read_json(path)
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
        if not path.is_file() or size_and_crc(path) != expected:
            raise ModelError(f"{path} is missing, truncated or damaged")
    try:
        return torch.load(folder / STATE, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's unpickler can raise any exception
        raise ModelError(f"{folder / STATE} cannot be read ({type(error).__name__})") from None


def _differences(ours: Any, theirs: Any) -> str:
    """The names of the entries that differ, such as ``config.optimizer``."""
    names = []
    for key in sorted({*ours, *theirs} if isinstance(ours, dict) and isinstance(theirs, dict) else ()):
        left, right = ours.get(key), theirs.get(key)
        if left != right:
            inner = _differences(left, right) if isinstance(left, dict) and isinstance(right, dict) else ""
            names += [f"{key}.{name}" for name in inner.split(", ")] if inner else [key]
    return ", ".join(names)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
