"""Batch normalization with a fixed output scale."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import batch_norm

_EPS = 1e-5


class FixedScaleBatchNorm(nn.Module):
    """scale * (x - mean of the batch) / (standard deviation of the batch) + shift, where the scale is not trained.

    Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithm 1, with gamma fixed as in Zhu et al. 2020 (arXiv 2004.12585).
    Over a training batch each feature has mean `shift` and variance scale^2 * v / (v + 1e-5), where v is its variance
    before normalization. The output variance is thus scale^2 unless v is nearly as small as 1e-5.

    Evaluation uses running statistics, so that the features of a sentence depend on that sentence only. A training
    batch of a single sentence has no variance; it is normalized by the running statistics and does not update them.

    With several processes, each normalizes by the statistics of its own slice of the batch, so that the result differs
    from that of a single process. The running statistics that are saved are those of the main process.

    Args:
        features: D.
        scale: the standard deviation of the outputs, positive.
        momentum: weight of a batch in the running statistics.
        rows_of_a_sentence: how often one sentence may occur in a batch (a model that enumerates labels repeats it). A
            batch with at most so many rows counts as a single sentence.

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
