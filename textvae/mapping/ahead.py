"""The next item of an iterator is made while the present one is used."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_TURNS = 1e-4
"""Seconds after which a thread of Python gives way to others."""


@contextmanager
def ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """A context that gives the same items; a thread makes each while the one before it is used.

    Within it Python's threads take turns fifty times as often as by default. Otherwise a thread that computes would
    wait for the reader five milliseconds after each operation, which takes less than one.

    An error of an item is raised in its place, after the items before it. At the end of the context the item that is
    being made is waited for and dropped, and the generator is closed by the thread that ran it.

    >>> with ahead(n * n for n in range(1, 4)) as squares:
    ...     list(squares)
    [1, 4, 9]
    """
    end, turns = object(), sys.getswitchinterval()
    sys.setswitchinterval(_TURNS)
    with ThreadPoolExecutor(1, thread_name_prefix="textvae-reader") as reader:

        def one_ahead() -> Iterator[T]:
            coming = reader.submit(next, items, end)
            while (item := coming.result()) is not end:
                coming = reader.submit(next, items, end)
                yield item  # type: ignore[misc]

        try:
            yield one_ahead()
        finally:
            sys.setswitchinterval(turns)
            reader.submit(items.close).result()
