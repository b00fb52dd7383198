"""Functions that torch.compile leaves as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")

_MARKED: list[list[Callable[..., object]]] = []


def uncompiled(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that is never compiled: it runs as it is also within a model that is.

    It is `torch.compiler.disable` once `keep_uncompiled` has been called. That decorator imports the compiler, which
    takes a second, so it waits until something is compiled.

    >>> @uncompiled
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double(2)
    4
    """
    what: list[Callable[P, R]] = [function]
    _MARKED.append(what)  # type: ignore[arg-type]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return what[0](*args, **kwargs)

    return call


def keep_uncompiled() -> None:
    """Tell the compiler about the marked functions; to be called before `torch.compile`."""
    for what in _MARKED:
        what[0] = torch.compiler.disable(what[0])  # type: ignore[no-untyped-call]
    _MARKED.clear()
