"""The networks by which each level of a hierarchical code depends on the levels above it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textvae.errors import ConfigError


class TopDown(nn.Module):
    """The weights of a network for each level after the first: one tanh layer and a linear skip connection.

    The output and skip weights start at zero. The levels are then independent, so that samples of one level add no
    noise to another. The output and skip weights get a gradient from the first step on.

    Args:
        latent_dim: D, divisible by `levels`.
        levels: L.
        hidden_dim: H, tanh units for each level.

    Raises:
        ConfigError: the levels do not divide D.

    >>> networks = TopDown(6, levels=3, hidden_dim=5).networks()
    >>> [[tuple(weight.shape) for weight in network] for network in networks]
    [[(5, 2), (4, 5), (2, 2)], [(5, 4), (4, 5), (2, 4)]]
    """

    def __init__(self, latent_dim: int, levels: int, hidden_dim: int) -> None:
        super().__init__()
        if latent_dim % levels:
            raise ConfigError(
                f"latent_dim is {latent_dim}, which {levels} levels cannot share equally; use a multiple of {levels}."
            )
        width = latent_dim // levels
        above = [level * width for level in range(1, levels)]
        self.inward = nn.ParameterList(torch.randn(hidden_dim, size) / size**0.5 for size in above)
        self.outward = nn.ParameterList(torch.zeros(2 * width, hidden_dim) for _ in above)
        self.skip = nn.ParameterList(torch.zeros(width, size) for size in above)

    def networks(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Inward [H, A], outward [2 d, H] and skip [d, A] weights of levels l = 2 .. L, d = D / L, A = d (l - 1)."""
        return list(zip(self.inward, self.outward, self.skip, strict=True))
