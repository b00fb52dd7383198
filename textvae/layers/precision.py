"""Conversion out of half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Convert half precision to float32, before probabilities are computed; other dtypes are unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
