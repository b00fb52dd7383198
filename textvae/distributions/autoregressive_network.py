"""The interface of a flow's networks. Flows get them as arguments, as this package imports no other of textvae."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class AutoregressiveNetwork(Protocol):
    """Two numbers for each coordinate, computed from the coordinates before it (`layers.AutoregressiveMap`)."""

    def __call__(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[..., D] -> [..., D, 2]."""
        ...

    def solve(self, choose: Callable[[int, Tensor], Tensor], context: Tensor | None = None) -> Tensor:
        """The coordinates one after another, [..., D]; `choose` maps d and the outputs [..., 2] at d to z_d, [...]."""
        ...

    def detached(self) -> AutoregressiveNetwork:
        """The same network with detached weights."""
        ...
