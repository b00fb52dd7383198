"""The features of texts by a pretrained encoder, computed once and kept in a file."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float32

from textvae.arguments import shown
from textvae.disk import at_home, atomic_path, claim, held, machine_errors, problem_of_file, remove_unfinished, what_is
from textvae.encoders.backbone import Pooling
from textvae.encoders.backbone_files import find_backbone
from textvae.encoders.frozen import frozen_backbone
from textvae.errors import ConfigError
from textvae.text.given import checked_texts

FORMAT, FORMAT_VERSION = "textvae-features", 1
FOLDER = "features"
"""The kind of a folder of such files, as its marker names it."""
_METADATA = b"textvae"
_NAMES = ("features-*.arrow",)
_KEY_BYTES = 16
_KEY = f"S{_KEY_BYTES}"
_PART = 50_000
"""Texts that are encoded before what was computed is written."""
_PATIENCE = 600.0
"""Seconds that a process waits for others that write into the same folder."""


def sentence_features(
    texts: Iterable[str],
    model: str | Path,
    *,
    revision: str | None = None,
    pooling: Pooling = "mean",
    cache: str | Path | None = None,
    device: str | None = None,
) -> Float32[np.ndarray, "N H"]:
    """The features of texts by a pretrained encoder: its last hidden states, pooled over the tokens of each text.

    The text is read whole, up to the encoder's own maximum (256 tokens for MiniLM), special tokens counted; what is
    longer is cut there. Features are not normalized to length one: divide by their norms for cosine similarities.

    With `cache` the features are kept in one Arrow file of that folder for each encoder and pooling, by a digest of
    each text, and only texts that are not in it are encoded. Several processes may do so at once. A file that is
    damaged is written anew, with a warning.

    Args:
        texts: strings, in any order; they may be empty or equal.
        model: the folder of a model, or its name on the Hugging Face hub.
        revision: a branch, a tag or a commit on the hub; its main branch when None.
        pooling: "mean" or "max" of the states, or the "first" state.
        cache: a folder, new, empty or used as cache before; None to keep nothing.
        device: where to compute, such as "cpu"; when None a GPU if there is one, unless ACCELERATE_USE_CPU=1.

    Returns:
        the features in the order of the texts. On one device they do not depend on the other texts, to within 1e-5.

    Raises:
        DataError: no texts, or something among them that is no string.
        ConfigError: transformers is not installed, there is no such pooling or device, or a file in `cache` is in the
            way that textvae did not write.
        ModelError: there is no such model, it is damaged, or its weights are not safetensors.
        MachineError: the hub cannot be reached, or the disk is full or broken.
    """
    given = checked_texts(texts, "text")
    if pooling not in get_args(Pooling):
        raise ConfigError(f"pooling is {shown(pooling)}; expected one of {', '.join(get_args(Pooling))}.")
    where = _device(device)
    backbone = frozen_backbone(find_backbone(str(model), revision))
    if cache is None:
        return backbone.encode(given, pooling, where)
    settings: dict[str, str | int] = {"encoder": backbone.source.digest, "pooling": pooling, "features": backbone.width}
    file = FeatureFile(at_home(cache), settings, backbone.width)
    digests = np.array([_key(text) for text in given], dtype=_KEY)
    keys, first_M, place_N = np.unique(digests, return_index=True, return_inverse=True)
    features_MH = np.zeros((len(keys), backbone.width), dtype=np.float32)
    known = file.read(keys, features_MH)
    missing = np.flatnonzero(~known)
    for part in (missing[start : start + _PART] for start in range(0, len(missing), _PART)):
        features_MH[part] = backbone.encode([given[first_M[i]] for i in part], pooling, where)
        file.add(keys[part], features_MH[part])
    return features_MH[place_N]


class FeatureFile:
    """Features by key in an Arrow IPC file, with the columns ``key`` (16 bytes) and ``features`` (H float32), by key.

    Its name is a digest of the settings, which are in its metadata too, with a CRC-32 of the columns. A file is
    never changed, but replaced by one that has more rows.

    Args:
        folder: the folder of the file.
        settings: everything that features depend on beside the text.
        width: H.

    Raises:
        ConfigError: the folder has a file of such a name, and textvae did not write it.
    """

    def __init__(self, folder: Path, settings: dict[str, str | int], width: int) -> None:
        self.folder, self.settings, self.width = folder, settings, width
        name = hashlib.sha256(json.dumps([FORMAT_VERSION, settings], sort_keys=True).encode()).hexdigest()[:32]
        self.path = folder / f"features-{name}.arrow"
        if what_is(folder) != FOLDER:
            try:
                with machine_errors(folder):
                    claim(folder, FOLDER, _NAMES)
            except ConfigError:
                # Another process may have made it meanwhile.
                if what_is(folder) != FOLDER:
                    raise

    def read(self, keys: np.ndarray, features_MH: Float32[np.ndarray, "M H"]) -> np.ndarray:
        """Fill in the rows of the keys that are in the file; which these are, bool [M]."""
        have, rows_NH = self._open(warn=True)
        place_M = np.searchsorted(have, keys)
        known = place_M < len(have)
        known[known] = have[place_M[known]] == keys[known]
        features_MH[known] = rows_NH[place_M[known]]
        return known

    def add(self, keys: np.ndarray, features_MH: Float32[np.ndarray, "M H"]) -> None:
        """Add rows to those that are in the file now; of a key that is there already, the row there is kept.

        Raises:
            ConfigError: another process writes into the folder for longer than ten minutes.
            MachineError: the disk is full or broken.
        """
        with held(self.folder, _PATIENCE):
            remove_unfinished(self.folder, below=False)
            have, rows_NH = self._open(warn=False)
            new = ~np.isin(keys, have)
            all_keys = np.concatenate([have, keys[new]])
            order = np.argsort(all_keys, kind="stable")
            self._write(all_keys[order], np.concatenate([rows_NH, features_MH[new]])[order])

    def _open(self, *, warn: bool) -> tuple[np.ndarray, Float32[np.ndarray, "N H"]]:
        """The keys in ascending order, and their rows, which are mapped from the disk; none where there is no file."""
        nothing = np.zeros(0, dtype=_KEY), np.zeros((0, self.width), dtype=np.float32)
        if not os.path.lexists(self.path):
            return nothing
        try:
            if problem_of_file(self.path) is not None:
                raise ValueError("no file")
            with pa.memory_map(str(self.path)) as source:
                table = pa.ipc.open_file(source).read_all().combine_chunks()
            about = json.loads(table.schema.metadata[_METADATA])
            keys, rows_NH = _columns(table, self.width)
            if about["settings"] != self.settings or about["crc32"] != _checksum(keys, rows_NH):
                raise ValueError("other settings or another checksum")
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            if warn:
                warnings.warn(f"{self.path} is damaged; its features are computed again.", stacklevel=4)
            return nothing
        return keys, rows_NH

    def _write(self, keys: np.ndarray, rows_NH: Float32[np.ndarray, "N H"]) -> None:
        about = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "settings": self.settings,
            "crc32": _checksum(keys, rows_NH),
        }
        types = pa.binary(_KEY_BYTES), pa.list_(pa.float32(), self.width)
        fields = [pa.field(name, kind, nullable=False) for name, kind in zip(("key", "features"), types, strict=True)]
        schema = pa.schema(fields, metadata={_METADATA: json.dumps(about).encode()})
        columns = [
            pa.FixedSizeBinaryArray.from_buffers(types[0], len(keys), [None, pa.py_buffer(keys.tobytes())]),
            pa.FixedSizeListArray.from_arrays(pa.array(rows_NH.reshape(-1)), type=types[1]),
        ]
        with (
            atomic_path(self.path) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).digest()


def _columns(table: pa.Table, width: int) -> tuple[np.ndarray, Float32[np.ndarray, "N H"]]:
    """The two columns of a file as arrays.

    Raises:
        ValueError: they are of other types, or the keys are not in ascending order.
    """
    if table.schema.types != [pa.binary(_KEY_BYTES), pa.list_(pa.float32(), width)]:
        raise ValueError("other columns")
    count = table.num_rows
    keys = table["key"].combine_chunks()
    found = np.frombuffer(keys.buffers()[1], dtype=_KEY)[keys.offset : keys.offset + count]
    rows_NH = table["features"].combine_chunks().flatten().to_numpy().reshape(count, width)
    if (found[1:] <= found[:-1]).any():
        raise ValueError("keys out of order")
    return found, rows_NH


def _checksum(keys: np.ndarray, rows_NH: Float32[np.ndarray, "N H"]) -> int:
    return zlib.crc32(np.ascontiguousarray(rows_NH).data, zlib.crc32(keys.tobytes()))


def _device(device: str | None) -> torch.device:
    """The device of a name; when None a GPU if there is one, unless the environment variable of accelerate forbids it.

    Raises:
        ConfigError: there is no such device.
    """
    if device is None:
        cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
        return torch.device("cpu" if cpu or not torch.cuda.is_available() else "cuda")
    try:
        return torch.zeros(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ConfigError(f'device is {shown(device)}, which is not here; give "cpu", or None.') from None
