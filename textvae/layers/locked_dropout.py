"""Dropout with one mask for all time steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LockedDropout(nn.Module):
    """Variational dropout (Gal & Ghahramani 2016, arXiv 1512.05287): a feature that is dropped at one position of a
    sentence is dropped at all of them.

    Args:
        rate: share of features dropped in training, in [0, 1).
        time_dim: the axis along which the mask is shared.
    """

    def __init__(self, rate: float, time_dim: int = 1) -> None:
        super().__init__()
        self.rate, self.time_dim = rate, time_dim

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        shape = list(x.shape)
        shape[self.time_dim] = 1
        keep = torch.rand(shape, dtype=x.dtype, device=x.device) >= self.rate
        return x * (keep / (1.0 - self.rate))
