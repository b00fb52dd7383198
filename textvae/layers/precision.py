"""Half precision: conversion out of it, and where a machine cannot compute in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Convert half precision to float32, before probabilities are computed; other dtypes are unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def has_half_precision_lstm(x: Tensor) -> bool:
    """Whether an LSTM can be computed in half precision on the device of a tensor.

    On a CPU oneDNN computes it, and refuses on processors without AVX-512 or AMX, where other layers are only slower.
    """
    if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return True
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def float32_where_needed(x: Tensor) -> Iterator[bool]:
    """A context for a recurrent layer under autocast: float32 where the machine has no half precision for it.

    It gives whether that is so; inputs have to be converted then.

    >>> with torch.autocast("cpu", torch.bfloat16), float32_where_needed(torch.ones(1)):
    ...     torch.nn.LSTM(2, 2)(torch.ones(3, 2))[0].shape
    torch.Size([3, 2])
    """
    if not torch.is_autocast_enabled(x.device.type) or has_half_precision_lstm(x):
        yield False
        return
    with torch.autocast(x.device.type, enabled=False):
        yield True
