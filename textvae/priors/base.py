"""The contract of a prior: a context in, a distribution out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from textvae.distributions import LatentDistribution
from textvae.types import Context


class Prior(nn.Module):
    """-> p(z), batch shape [] or [B], event shape [D].

    A config whose coordinates are independent, in evaluation too, says `factorizes: ClassVar[bool] = True`.

    Attributes:
        num_labels: C where p(z|y) is conditioned on the label in the context, else 0.
        vector_dim: H where p(z|v) is conditioned on the vector in the context, else 0.
        sees_codes: whether in training p(z) depends on the sentence's own code, which the model then puts into the
            context as `vector_BH` beside `example_id_B`. Such a prior has a memory of training codes: `begin(N, seed)`,
            `store(ids, codes)` and `take_noticed()`, which the trainer calls.
        memory_names: buffers that hold the memory, as long as the training corpus.
    """

    num_labels: int = 0
    vector_dim: int = 0
    sees_codes: bool = False
    memory_names: tuple[str, ...] = ()

    def forward(self, context: Context | None = None) -> LatentDistribution:
        """Without a context, the prior of a sentence of which nothing is known."""
        raise NotImplementedError

    def set_label_prior(self, counts_C: Tensor) -> None:
        """p(y) from how often each label was seen, [C]; called of priors that are conditioned on labels."""
        raise NotImplementedError

    def compose(self, posterior: Callable[..., Any], *, feature_dim: int, num_labels: int = 0) -> None:
        """Called once by the model that owns both: hands over the posterior, which most priors do not need.

        Args:
            posterior: features [B, H], context -> q(z|x).
            feature_dim: H.
            num_labels: C where the posterior is conditioned on a label.
        """
