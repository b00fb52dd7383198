"""Steady memory over the parts of a file, however many they are."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

_KERNELS = "16"
_PARTS = 4
"""Freed memory is given back once in so many parts: taking it again costs time."""


@contextmanager
def steady_memory() -> Iterator[Callable[[], None]]:
    """A context for work in many parts of similar size; it gives a function to call after each of them.

    Three things would otherwise take time or memory with every part. Python's garbage collector looks through all
    objects again and again while the many small ones of a part are made; here it looks once a part, at the new ones.
    Arrow's allocators keep freed memory in pieces that the next part does not fit; here it is given back. And oneDNN,
    by which torch computes on a CPU, keeps a compiled kernel for each shape of a batch, 1024 of them; here 16, unless
    ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` is set or it has been in use before.

    >>> with steady_memory() as end_of_part:
    ...     for _ in range(3):
    ...         end_of_part()
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)
    pool, collecting = pa.default_memory_pool(), gc.isenabled()
    system = pa.system_memory_pool()
    pa.set_memory_pool(system)
    gc.disable()

    parts = itertools.count(1)

    def end_of_part() -> None:
        gc.collect(0)
        if next(parts) % _PARTS == 0:
            system.release_unused()

    try:
        yield end_of_part
    finally:
        pa.set_memory_pool(pool)
        if collecting:
            gc.enable()
