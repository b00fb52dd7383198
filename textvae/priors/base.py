"""The contract of a prior: a context in, a distribution out."""

from __future__ import annotations

from torch import nn

from textvae.distributions import LatentDistribution
from textvae.types import Context


class Prior(nn.Module):
    """-> p(z), batch shape [] or [B], event shape [D]."""

    def forward(self, context: Context | None = None) -> LatentDistribution:
        raise NotImplementedError
