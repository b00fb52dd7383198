"""Batch normalization that leaves a fixed spread behind."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import batch_norm

_EPS = 1e-5


class FixedScaleBatchNorm(nn.Module):
    """scale * (x - mean of the batch) / (standard deviation of the batch) + shift, where the scale is not trained.

    Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithm 1, with gamma held at a number as in Zhu et al. 2020
    (arXiv 2004.12585): over a training batch each feature has mean `shift` and variance scale^2 * v / (v + 1e-5),
    v being its variance before: the spread shrinks where v comes near to 1e-5, and not before.

    Evaluation uses running statistics, and a sentence's features then depend on that sentence alone. So does a
    training batch of a single sentence, which has no variance: it is normalized by the running statistics and adds
    nothing to them.

    Of several processes each takes the statistics of its own slice of a batch, not of the whole batch, so that here
    several do not equal one; the running statistics that are kept are those of the main process's slices.

    Args:
        features: D.
        scale: the standard deviation that is left, positive.
        momentum: share of a batch in the running statistics.
        rows_of_a_sentence: how often a sentence may occur in one batch (a model that tries every label repeats it):
            a batch of no more rows counts as a single sentence.

    >>> normalize = FixedScaleBatchNorm(2, scale=0.6)
    >>> y = normalize(torch.tensor([[1.0, 10.0], [3.0, 50.0]]))
    >>> [[round(value, 3) for value in row] for row in y.tolist()]
    [[-0.6, -0.6], [0.6, 0.6]]
    """

    running_mean_D: Tensor
    running_var_D: Tensor

    def __init__(self, features: int, *, scale: float, momentum: float = 0.1, rows_of_a_sentence: int = 1) -> None:
        super().__init__()
        self.scale, self.momentum, self.rows_of_a_sentence = scale, momentum, rows_of_a_sentence
        self.shift_D = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean_D", torch.zeros(features))
        self.register_buffer("running_var_D", torch.ones(features))

    def forward(self, x_BD: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        by_batch = self.training and x_BD.shape[0] > self.rows_of_a_sentence
        standard_BD = batch_norm(
            x_BD, self.running_mean_D, self.running_var_D, training=by_batch, momentum=self.momentum, eps=_EPS
        )
        return self.scale * standard_BD + self.shift_D
