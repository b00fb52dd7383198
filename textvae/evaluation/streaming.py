"""Log-mean-exp of a stream of log-weights, in constant memory."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class LogMeanExp:
    """The average of log (1/k) sum_i w_i over the disjoint groups of k in a stream of log-weights.

    With k the length of the stream it is the importance-weighted bound of Burda et al. 2016
    (arXiv 1509.00519, eq. 8). With k = 1 it is the mean, the ELBO. In between it is the mean of independent estimates
    of the bound with k samples, one for each complete group. An incomplete group at the end is not used.

    Args:
        group: k, the samples in a group.

    >>> stream = LogMeanExp(group=4)
    >>> for chunk in torch.arange(4.0).unsqueeze(1).split([3, 1]):
    ...     stream.update(chunk)
    >>> round(stream.value()[0].item(), 6) == round(math.log(sum(map(math.exp, range(4))) / 4), 6)
    True
    """

    def __init__(self, group: int) -> None:
        if group < 1:
            raise ValueError(f"expected at least one sample in a group, got {group}")
        self.group = group
        self.groups = 0
        self._filled = 0
        self._open_B: Tensor | None = None
        self._total_B: Tensor | None = None

    def update(self, log_w_SB: Tensor) -> None:
        """Add log-weights, [S, B], nats."""
        log_w_SB = log_w_SB.double()
        if self._filled:
            missing = self.group - self._filled
            self._extend(log_w_SB[:missing])
            log_w_SB = log_w_SB[missing:]
        whole = len(log_w_SB) // self.group
        if whole:
            grouped = log_w_SB[: whole * self.group].unflatten(0, (whole, self.group))
            self._close(grouped.logsumexp(1).sum(0), whole)
        if len(rest := log_w_SB[whole * self.group :]):
            self._extend(rest)

    def _extend(self, log_w_SB: Tensor) -> None:
        if not len(log_w_SB):
            return
        sum_B = log_w_SB.logsumexp(0)
        self._open_B = sum_B if self._open_B is None else torch.logaddexp(self._open_B, sum_B)
        self._filled += len(log_w_SB)
        if self._filled == self.group:
            self._close(self._open_B, 1)
            self._open_B, self._filled = None, 0

    def _close(self, log_sum_B: Tensor, groups: int) -> None:
        bound_B = log_sum_B - groups * math.log(self.group)
        self._total_B = bound_B if self._total_B is None else self._total_B + bound_B
        self.groups += groups

    def value(self) -> Tensor:
        """The bound averaged over the complete groups, float64 [B], nats."""
        if self._total_B is None:
            raise ValueError(f"the stream ended after {self._filled} samples, before one group of {self.group}")
        return self._total_B / self.groups


def ladder(num_samples: int) -> list[int]:
    """The numbers of samples in a curve over k: 1, 2, 5, 10, 20, 50, ... and `num_samples`.

    >>> ladder(30)
    [1, 2, 5, 10, 20, 30]
    """
    steps = [d * 10**e for e in range(len(str(num_samples))) for d in (1, 2, 5)]
    return [k for k in steps if k < num_samples] + [num_samples]
