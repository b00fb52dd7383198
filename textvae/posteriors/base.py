"""The contract of a posterior: features in, a distribution out."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from textvae.distributions import LatentDistribution
from textvae.types import Context


class Posterior(nn.Module):
    """features -> q(z|x), batch shape [B], event shape [D]."""

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> LatentDistribution:
        """`context` holds what else q is conditioned on: a label, a vector, example ids."""
        raise NotImplementedError
