"""Parts are read ahead of their use, and their number costs neither memory nor the caller's settings."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator

import pyarrow as pa
import pytest

from textvae.errors import DataError
from textvae.mapping.ahead import ahead
from textvae.mapping.memory import steady_memory


def test_an_error_comes_in_its_place_and_the_thread_that_reads_also_closes() -> None:
    threads: list[int] = []

    def numbers() -> Generator[int, None, None]:
        try:
            for number in range(5):
                threads.append(threading.get_ident())
                if number == 3:
                    raise DataError("no fourth one")
                yield number
        finally:
            threads.append(threading.get_ident())

    got = []
    with pytest.raises(DataError, match="no fourth one"), ahead(numbers()) as found:
        for number in found:
            got.append(number)
    assert got == [0, 1, 2]
    assert len(set(threads)) == 1 and threading.get_ident() not in threads

    threads.clear()
    with pytest.raises(KeyboardInterrupt), ahead(numbers()) as found:
        next(found)
        raise KeyboardInterrupt
    assert len(set(threads)) == 1 and len(threads) >= 3, "it is closed where it ran"


@pytest.mark.parametrize("collecting", [True, False])
def test_what_is_set_for_the_parts_is_set_back(collecting: bool) -> None:
    pool, was = pa.default_memory_pool().backend_name, gc.isenabled()
    try:
        gc.enable() if collecting else gc.disable()
        with pytest.raises(DataError), steady_memory() as end_of_part:
            assert not gc.isenabled() and pa.default_memory_pool().backend_name == "system"
            for _ in range(5):
                end_of_part()
            raise DataError("a broken file")
        assert gc.isenabled() is collecting and pa.default_memory_pool().backend_name == pool
    finally:
        gc.enable() if was else gc.disable()
