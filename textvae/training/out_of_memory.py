"""A lack of memory in words: which setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from textvae.errors import MachineError

_WORDS = ("DefaultCPUAllocator", "out of memory", "can't allocate memory")


@contextmanager
def memory_errors(batch_tokens: int) -> Iterator[None]:
    """Turn a lack of memory inside into an error that names `train.batch_tokens`.

    Raises:
        MachineError: there is not enough memory on the CPU or the accelerator.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        surely = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not surely and not any(word in str(error) for word in _WORDS):
            raise
        raise MachineError(
            f"out of memory with train.batch_tokens = {batch_tokens}; halve it, or make the model smaller, "
            "and run again."
        ) from None
