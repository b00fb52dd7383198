"""A pretrained encoder whose weights are never changed, shared in the process."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from textvae.disk import shown_path
from textvae.encoders.backbone import BackboneReader, Pooling, load_backbone, padded, pooled_states, width_of
from textvae.encoders.backbone_files import BackboneFiles
from textvae.errors import ModelError

ROWS = 8
"""Rows of each batch on a CPU. The number is always the same, because the kernels that compute a row, and so its last
bits, depend on it."""
BATCH_TOKENS = 16_384
"""Tokens of a batch on other devices, padding included."""
_STEP = 8
"""Rows are padded to a multiple of this, which depends on the row alone."""


class FrozenBackbone:
    """The features of texts by a pretrained encoder: float32, without dropout, gradient or autocast.

    The features of a text do not depend on the other texts, to within 1e-5. On a CPU every batch has the same number of
    rows, and its width is that of the text rounded up: there they were equal to the bit in all measurements, for the
    same number of threads.

    It is loaded at the first use. Copies and pickles refer to the same files; in one process they are one object.

    Args:
        source: the files.

    Attributes:
        sha256: of the weights, as of `BackboneFiles`.
        width: H.
    """

    def __init__(self, source: BackboneFiles) -> None:
        self.source, self.sha256 = source, source.sha256
        self.width = width_of(source)
        self._loaded: tuple[BackboneReader, nn.Module] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen_backbone, (self.source, self.sha256)

    def __deepcopy__(self, memo: dict[int, object]) -> FrozenBackbone:
        return self

    def load(self) -> tuple[BackboneReader, nn.Module]:
        """The tokenizer and the encoder.

        Raises:
            ModelError: it is damaged, incomplete, changed meanwhile, or of a kind that cannot be used.
        """
        if self._loaded is None:
            _require_sha256(self.source, self.sha256)
            reader, module = load_backbone(self.source)
            self._loaded = reader, module.requires_grad_(False)
        return self._loaded

    def encode(self, texts: Sequence[str], pooling: Pooling, device: torch.device) -> Float32[np.ndarray, "N H"]:
        """The features of texts, in the order given; they are computed in the order of length.

        Args:
            texts: any texts; those longer than the encoder's maximum are cut.
            pooling: over the tokens of a text.
            device: where to compute.
        """
        reader, module = self.load()
        module.to(device)
        rows = reader(texts)
        widths = np.array([min(-(-len(row) // _STEP) * _STEP, max(reader.longest, len(row))) for row in rows])
        found_NH = np.zeros((len(rows), self.width), dtype=np.float32)
        for width in np.unique(widths).tolist():
            places = np.flatnonzero(widths == width)
            most = ROWS if device.type == "cpu" else max(1, BATCH_TOKENS // width)
            for start in range(0, len(places), most):
                chosen = places[start : start + most]
                given = [rows[i] for i in chosen]
                if device.type == "cpu":
                    given += [given[0]] * (ROWS - len(given))
                with torch.no_grad(), torch.autocast(device.type, enabled=False):
                    states = pooled_states(module, *padded(given, width, reader.pad_id, device), pooling)
                found_NH[chosen] = states.cpu().numpy()[: len(chosen)]
        return found_NH


_SHARED: WeakValueDictionary[Hashable, FrozenBackbone] = WeakValueDictionary()


def frozen_backbone(source: BackboneFiles, sha256: str | None = None) -> FrozenBackbone:
    """The frozen encoder of these files; it is one object for all that use it at the same time.

    Args:
        source: the files.
        sha256: of the weights, if it is known.

    Raises:
        ConfigError: transformers is not installed.
        ModelError: the weights are not those, or the settings are damaged or of a kind that cannot be used.
    """
    if sha256 is not None:
        _require_sha256(source, sha256)
    key = source.name, source.digest
    found = _SHARED.get(key)
    if found is None:
        found = _SHARED[key] = FrozenBackbone(source)
    return found


def _require_sha256(source: BackboneFiles, expected: str) -> None:
    found = source.sha256
    if found != expected:
        raise ModelError(
            f"the weights of the pretrained encoder '{shown_path(source.name)}' were changed: they have SHA-256 "
            f"{found}, expected {expected}; put the former ones there again."
        )
