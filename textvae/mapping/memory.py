"""Steady memory over the parts of a file, however many they are."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa

_KERNELS = "16"
_M_MMAP_THRESHOLD, _BLOCK = -3, 17_500_000
"""The number of an option in malloc.h, and bytes from which a block of memory is returned as soon as it is free. The
logits that are computed at a time (16 MiB, `VocabularyProjection`) are below it, so that their memory is kept: taken
anew from the system for every batch, each of its pages would have to be cleared again."""
_M_ARENA_MAX, _ARENAS = -8, 2
"""The number of an option in malloc.h, and the parts of memory that threads may open."""
_PARTS = 4
"""Freed memory is given back once in so many parts: taking it again costs time."""


@contextmanager
def steady_memory() -> Iterator[Callable[[], None]]:
    """A context for work in many parts of similar size; it gives a function to call after each of them.

    Five things would otherwise take time or memory with every part. Python's garbage collector looks through all
    objects again and again while the many small ones of a part are made; here it looks once a part, at the new ones.
    The allocators of Arrow and of the C library keep freed memory in pieces that the next part does not fit; here it is
    given back, large blocks at once. glibc opens a part of memory for every thread, of which there are new ones with
    each call of some tokenizers; here two in all. (What is set in glibc stays so for the process.) And oneDNN, by which
    torch computes on a CPU, keeps a compiled kernel for each shape of a batch, 1024 of them; here 16, unless
    ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` is set or it has been in use before.

    >>> with steady_memory() as end_of_part:
    ...     for _ in range(3):
    ...         end_of_part()
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)
    _set_up_malloc()
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


def _set_up_malloc() -> None:
    """By default glibc raises the size of blocks that it returns up to 32 MiB, and has 8 arenas for each core."""
    with suppress(OSError, AttributeError):  # another C library
        malloc = ctypes.CDLL(None)
        malloc.mallopt(_M_MMAP_THRESHOLD, _BLOCK)
        malloc.mallopt(_M_ARENA_MAX, _ARENAS)
