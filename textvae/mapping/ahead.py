"""The next item of an iterator is made while the present one is used."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """A context that gives the same items; a thread makes each while the one before it is used.

    An error of an item is raised in its place, after the items before it. At the end of the context the item that is
    being made is waited for and dropped, and the generator is closed by the thread that ran it.

    >>> with ahead(n * n for n in range(1, 4)) as squares:
    ...     list(squares)
    [1, 4, 9]
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="textvae-reader") as reader:

        def one_ahead() -> Iterator[T]:
            coming = reader.submit(next, items, end)
            while (item := coming.result()) is not end:
                coming = reader.submit(next, items, end)
                yield item  # type: ignore[misc]

        try:
            yield one_ahead()
        finally:
            reader.submit(items.close).result()
