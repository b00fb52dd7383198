"""Turns out-of-memory errors into a message that names the setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from textvae.errors import MachineError

_WORDS = ("DefaultCPUAllocator", "out of memory", "can't allocate memory")


@contextmanager
def memory_errors(batch_tokens: int) -> Iterator[None]:
    """Turn an out-of-memory error inside into one that names `train.batch_tokens`.

    Raises:
        MachineError: the memory of the CPU or of the accelerator is not enough.
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
