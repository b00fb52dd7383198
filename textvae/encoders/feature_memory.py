"""The features of sentences by an encoder that is not trained any more, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32


class FeatureMemory:
    """Features of sentences that were encoded before, by their token ids, in float32 on the CPU.

    When it is full, it is kept as it is: of a corpus that is read again and again, a part of constant size is found.
    A deep copy of an encoder, whose weights are the same, shares it; in a pickle it is empty.

    Args:
        width: H.
        most: sentences that are kept.

    >>> memory = FeatureMemory(2, most=1)
    >>> memory.store([b"a", b"b"], np.ones((2, 2), dtype=np.float32))
    >>> len(memory), memory.missing([b"b", b"a", b"b"])
    (1, [0])
    """

    def __init__(self, width: int, most: int) -> None:
        self._width, self.most = width, most
        self._places: dict[bytes, int] = {}
        self._rows_NH = np.zeros((0, width), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._places)

    def __deepcopy__(self, memo: dict[int, Any]) -> FeatureMemory:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return FeatureMemory, (self._width, self.most)

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """The positions of keys that are not here, of equal ones the first."""
        first = {key: place for place, key in reversed(list(enumerate(keys))) if key not in self._places}
        return sorted(first.values())

    def store(self, keys: Sequence[bytes], rows_MH: Float32[np.ndarray, "M H"]) -> None:
        """Keep as many of these, all of them new, as there is room for."""
        start = len(self._places)
        count = min(len(keys), self.most - start)
        if start + count > len(self._rows_NH):
            size = min(max(2 * len(self._rows_NH), start + count, 1024), self.most)
            grown_NH = np.zeros((size, self._width), dtype=np.float32)
            grown_NH[:start] = self._rows_NH[:start]
            self._rows_NH = grown_NH
        self._rows_NH[start : start + count] = rows_MH[:count]
        self._places.update(zip(keys[:count], range(start, start + count), strict=True))

    def find(self, keys: Sequence[bytes]) -> tuple[np.ndarray, Float32[np.ndarray, "K H"]]:
        """The positions of the keys that are here, and their rows."""
        here = [(place, self._places[key]) for place, key in enumerate(keys) if key in self._places]
        places = np.array(here, dtype=np.int64).reshape(-1, 2)
        return places[:, 0], self._rows_NH[places[:, 1]]
