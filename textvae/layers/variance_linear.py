"""A linear layer whose weights are zero-mean noise of learned variance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

_TINY = 1e-16
"""Added to the variance, since the gradient of the square root is infinite at zero."""


class VarianceLinear(nn.Module):
    """out = b + sum_i W_i x_i with W_ij ~ N(0, s_ij^2): Neklyudov et al. 2019 (arXiv 1803.03764), section 3.

    The outputs are sampled, not the weights (local reparameterisation): out_j is normal with mean b_j and variance
    sum_i x_i^2 s_ij^2, drawn independently for each row and output. The mean does not depend on x, so x acts through
    the variance only, and predictions have to be averaged over several draws.

    Args:
        inputs: H.
        outputs: D.
        bias: whether there is a bias b.

    >>> layer = VarianceLinear(3, 2)
    >>> layer(torch.ones(4, 3)).shape, layer.scale(torch.ones(4, 3)).shape
    (torch.Size([4, 2]), torch.Size([4, 2]))
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        # softplus(raw) is 1 / sqrt(inputs), so that features of magnitude one give outputs of variance one.
        start = torch.tensor(inputs**-0.5, dtype=torch.float64)
        raw = torch.log(torch.expm1(start)).float()
        self.raw_scale = nn.Parameter(raw + 0.1 * torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    @property
    def weight_scale(self) -> Tensor:
        """s, [D, H]."""
        return softplus(self.raw_scale)

    def scale(self, x: Float[Tensor, "... H"]) -> Float[Tensor, "... D"]:
        """The standard deviation of each output."""
        return (x.square() @ self.weight_scale.square().T + _TINY).sqrt()

    def mean(self, x: Float[Tensor, "... H"]) -> Float[Tensor, "... D"]:
        """The mean of each output, which is the bias for every x."""
        shape = (*x.shape[:-1], len(self.raw_scale))
        return x.new_zeros(shape) if self.bias is None else self.bias.expand(shape)

    def forward(self, x: Float[Tensor, "... H"]) -> Float[Tensor, "... D"]:
        """One draw of the outputs of each row."""
        scale = self.scale(x)
        return self.mean(x) + scale * torch.randn_like(scale)
