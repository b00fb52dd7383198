"""What a flow asks of its networks; they are handed to it, for this package imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class AutoregressiveNetwork(Protocol):
    """Two numbers for each coordinate, made from the coordinates before it (`layers.AutoregressiveMap`)."""

    def __call__(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[..., D] -> [..., D, 2]."""
        ...

    def solve(self, choose: Callable[[int, Tensor], Tensor], context: Tensor | None = None) -> Tensor:
        """Coordinates one after the other: `choose(d, [..., 2]) -> [...]`; returns [..., D]."""
        ...

    def detached(self) -> AutoregressiveNetwork:
        """The same with its weights cut from the graph."""
        ...
