"""The few data types every part of textvae speaks: they know how to move, choose and repeat their rows, and no more.

Shape letters, used as suffixes of tensor names throughout the package:

====== =======================================
letter axis
====== =======================================
S      latent samples
B      sentences of a batch
N      flattened sentences, or hypotheses
T      tokens, BOS and EOS included
V      vocabulary
D      latent dimensions
H      features
C      classes
U      units of a latent group (U = B in a plain VAE)
====== =======================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

PAD_ID, BOS_ID, EOS_ID, UNK_ID = 0, 1, 2, 3
"""Every tokenizer reserves these four ids, in this order."""

NO_LABEL = -1
"""`Batch.label_B` of a sentence without a label."""

Support = Literal["euclidean", "sphere"]
EUCLIDEAN: Support = "euclidean"
SPHERE: Support = "sphere"
"""Where codes live: in all of R^D, or on the unit sphere in it."""

RowIndex = Tensor | np.ndarray | slice
"""What chooses rows: their numbers, one truth value for each, or a slice."""

DecoderState = Any
"""What a decoder has read of its sentences so far. Each decoder has a type of its own for it, and no other part of the
package looks inside; hence no type that all of them share."""

Rows = TypeVar("Rows", "Batch", "Context")


def _each(rows: Rows, change: Callable[[Tensor], Tensor]) -> Rows:
    """The same data type with a change made to each tensor it has."""
    found = {item.name: getattr(rows, item.name) for item in fields(rows)}
    changed: dict[str, Any] = {name: change(value) for name, value in found.items() if value is not None}
    return replace(rows, **changed)


@dataclass(frozen=True)
class Batch:
    """Sentences as token ids, padded on the right with `PAD_ID`.

    Attributes:
        tokens_BT: ids, int64; each row is BOS, the words, EOS, padding.
        lengths_B: valid entries of each row, BOS and EOS included, int64. A sentence has
            `lengths - 1` predicted tokens: EOS counts, BOS does not.
        label_B: class of each sentence, int64, -1 where there is none; None for a corpus without labels.
        example_id_B: position of each sentence in its corpus split, int64.
        unit_B: which document, author or dialogue a sentence belongs to; None for plain corpora.
        vector_BH: what a prior of vectors is conditioned on, for every sentence; None for corpora, which hold none.
    """

    tokens_BT: Tensor
    lengths_B: Tensor
    label_B: Tensor | None = None
    example_id_B: Tensor | None = None
    unit_B: Tensor | None = None
    vector_BH: Tensor | None = None

    def __len__(self) -> int:
        return len(self.lengths_B)

    def to(self, device: torch.device | str) -> Batch:
        """The same sentences with their tensors on a device."""
        return _each(self, lambda x: x.to(device, non_blocking=True))

    def rows(self, index: RowIndex) -> Batch:
        """Some of the sentences, in the order of `index`; one may be named several times. Padding stays as wide.

        >>> batch = Batch(torch.tensor([[1, 5, 2], [1, 6, 2]]), torch.tensor([3, 3]), label_B=torch.tensor([0, 1]))
        >>> batch.rows(torch.tensor([1])).label_B.tolist()
        [1]
        """
        return _each(self, lambda x: x[index])

    def repeat(self, times: int) -> Batch:
        """All sentences, and all of them again, so many times.

        >>> batch = Batch(torch.tensor([[1, 5, 2], [1, 6, 2]]), torch.tensor([3, 3]))
        >>> batch.repeat(2).tokens_BT[:, 1].tolist()
        [5, 6, 5, 6]
        """
        return _each(self, lambda x: x.repeat(times, *[1] * (x.dim() - 1)))

    def unlabelled(self) -> Batch:
        """The same sentences with their labels hidden."""
        return replace(self, label_B=None)


@dataclass(frozen=True)
class Context:
    """What a posterior, a prior or a decoder is conditioned on besides its main input.

    Attributes:
        label_B: class of each row, int64; [S, B] where it differs by sample.
        vector_BH: any other condition.
        example_id_B: which training example a row is (memories need it).
    """

    label_B: Tensor | None = None
    vector_BH: Tensor | None = None
    example_id_B: Tensor | None = None

    def to(self, device: torch.device | str) -> Context:
        """The same conditions with their tensors on a device."""
        return _each(self, lambda x: x.to(device, non_blocking=True))

    def rows(self, index: RowIndex) -> Context:
        """The conditions of some of the rows, in the order of `index`; one may be named several times.

        >>> Context(label_B=torch.tensor([[0, 1, 2], [2, 1, 0]])).rows(torch.tensor([2, 0])).label_B.tolist()
        [[2, 0], [0, 2]]
        """
        vector_BH = None if self.vector_BH is None else self.vector_BH[index]
        by_row = _each(replace(self, vector_BH=None), lambda x: x[..., index])
        return replace(by_row, vector_BH=vector_BH)

    def repeat(self, times: int) -> Context:
        """The conditions of all rows, and of all of them again, so many times; labels by row only."""
        return _each(self, lambda x: x.repeat(times, *[1] * (x.dim() - 1)))


@dataclass(frozen=True)
class LatentGroup:
    """One latent variable of a model: its distributions, its samples and their densities.

    Attributes:
        name: what it is called in logs.
        posterior: q, batch shape [U] (or [S, U] where it differs by sample).
        prior: p, batch shape [] or [U].
        z_SUD: samples of q.
        log_q_SU: log q(z), nats; None for an implicit posterior.
        log_p_SU: log p(z), nats.
        kl_U: KL(q || p) in closed form, nats per unit; None where only Monte Carlo can tell. Of levels, that of each
            level given the samples of those above, in closed form, averaged over samples: without bias.
        kl_per_dim_UD: the same by dimension, where both distributions factorise (given the levels above).
        levels: equal parts of z, each conditioned on those before it; the KL of each is a sum in kl_per_dim_UD.
        unit_B: which unit each sentence belongs to; None means unit b is sentence b.
        extended: True where the densities carry auxiliary variables, so that their difference is not a KL but lies, on
            average, above it: it is called `extended_rate`.
    """

    name: str
    posterior: Distribution
    prior: Distribution
    z_SUD: Tensor
    log_q_SU: Tensor | None
    log_p_SU: Tensor
    kl_U: Tensor | None = None
    kl_per_dim_UD: Tensor | None = None
    unit_B: Tensor | None = None
    extended: bool = False
    levels: int = 1


@dataclass(frozen=True)
class LatentTerms:
    """All an objective or a bound may know of a model and a batch.

    Attributes:
        log_px_z_SB: log p(x|z) summed over tokens, nats per sentence.
        log_weight_SB: log of each sample's weight in an average over S; -log S unless labels are enumerated.
        tokens_B: predicted tokens per sentence (EOS counted, BOS not).
        latents: one group for each latent variable.
    """

    log_px_z_SB: Tensor
    log_weight_SB: Tensor
    tokens_B: Tensor
    latents: tuple[LatentGroup, ...] = ()


@dataclass(frozen=True)
class ObjectiveOutput:
    """What an objective returns.

    Attributes:
        loss_B: the loss of each sentence, nats. The trainer divides its sum by the sentences of the
            global batch, so that several processes equal one.
        metrics_B: named numbers per sentence, detached; always `nll` (minus log p(x|z)), and the raw `kl` and the
            `kl_penalty` actually trained on, under these two names, unless a posterior has no density. Where a latent
            variable is extended there is an `extended_rate` in place of `kl`.
        kl_weight: the schedule's value at this step.
    """

    loss_B: Tensor
    metrics_B: dict[str, Tensor] = field(default_factory=dict)
    kl_weight: float = 1.0
