"""The data types that all parts of textvae exchange. They can move, select and repeat their rows, and nothing else.

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

from collections.abc import Callable, Sequence
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
"""The support of a distribution of codes: all of R^D, or the unit sphere in it."""

RowIndex = Tensor | np.ndarray | slice
"""An index of rows: their numbers, a boolean mask, or a slice."""

GivenRows = Tensor | np.ndarray | Sequence[Any]
"""N rows of numbers, such as codes or vectors, unchecked, as callers give them: of a tensor, an array or lists."""

DecoderState = Any
"""What a decoder has read of its sentences so far. Each decoder has a type of its own for it, and no other part of the
package looks inside; hence no type that all of them share."""

Rows = TypeVar("Rows", "Batch", "Context")


def _each(rows: Rows, change: Callable[[Tensor], Tensor]) -> Rows:
    """A copy with `change` applied to every tensor that is not None."""
    found = {item.name: getattr(rows, item.name) for item in fields(rows)}
    changed: dict[str, Any] = {name: change(value) for name, value in found.items() if value is not None}
    return replace(rows, **changed)


@dataclass(frozen=True)
class Batch:
    """Sentences as token ids, padded on the right with `PAD_ID`.

    Attributes:
        tokens_BT: ids, int64; each row is BOS, the words, EOS, padding.
        lengths_B: valid tokens of each row, BOS and EOS included, int64. A sentence has `lengths - 1` predicted tokens:
            EOS is predicted, BOS is not.
        label_B: class of each sentence, int64, -1 for a sentence without a label; None for a corpus without labels.
        example_id_B: position of each sentence in its corpus split, int64.
        unit_B: the document, author or dialogue to which each sentence belongs; None for plain corpora.
        vector_BH: a vector for each sentence, for a prior that is conditioned on vectors. Corpora have none.
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
        """The sentences at `index`, in its order; an index may occur several times. The width T stays the same.

        >>> batch = Batch(torch.tensor([[1, 5, 2], [1, 6, 2]]), torch.tensor([3, 3]), label_B=torch.tensor([0, 1]))
        >>> batch.rows(torch.tensor([1])).label_B.tolist()
        [1]
        """
        return _each(self, lambda x: x[index])

    def repeat(self, times: int) -> Batch:
        """The whole batch `times` times, one copy after another.

        >>> batch = Batch(torch.tensor([[1, 5, 2], [1, 6, 2]]), torch.tensor([3, 3]))
        >>> batch.repeat(2).tokens_BT[:, 1].tolist()
        [5, 6, 5, 6]
        """
        return _each(self, lambda x: x.repeat(times, *[1] * (x.dim() - 1)))

    def unlabelled(self) -> Batch:
        """The same sentences without their labels."""
        return replace(self, label_B=None)


@dataclass(frozen=True)
class Context:
    """What a posterior, a prior or a decoder is conditioned on besides its main input.

    Attributes:
        label_B: class of each row, int64, [B]; [S, B] if it differs between samples.
        vector_BH: a vector for each row, for a prior that is conditioned on vectors or on codes.
        example_id_B: position of each row in the training split, for a prior with a memory (`MemoryPrior`).
    """

    label_B: Tensor | None = None
    vector_BH: Tensor | None = None
    example_id_B: Tensor | None = None

    def to(self, device: torch.device | str) -> Context:
        """The same conditions with their tensors on a device."""
        return _each(self, lambda x: x.to(device, non_blocking=True))

    def rows(self, index: RowIndex) -> Context:
        """The conditions of the rows at `index`, in its order; an index may occur several times.

        >>> Context(label_B=torch.tensor([[0, 1, 2], [2, 1, 0]])).rows(torch.tensor([2, 0])).label_B.tolist()
        [[2, 0], [0, 2]]
        """
        vector_BH = None if self.vector_BH is None else self.vector_BH[index]
        by_row = _each(replace(self, vector_BH=None), lambda x: x[..., index])
        return replace(by_row, vector_BH=vector_BH)

    def repeat(self, times: int) -> Context:
        """The conditions of all rows `times` times, one copy after another. Labels must be [B], not [S, B]."""
        return _each(self, lambda x: x.repeat(times, *[1] * (x.dim() - 1)))


@dataclass(frozen=True)
class LatentGroup:
    """One latent variable of a model: its distributions, its samples and their densities.

    Attributes:
        name: its name in logs.
        posterior: q, batch shape [U], or [S, U] if it differs between samples.
        prior: p, batch shape [] or [U].
        z_SUD: samples of q.
        log_q_SU: log q(z), nats; None for an implicit posterior.
        log_p_SU: log p(z), nats.
        kl_U: KL(q || p), nats per unit; None where it has to be estimated by Monte Carlo. In closed form for one
            level. For several levels, the closed-form KL of each level given the sampled levels above it, summed over
            levels and averaged over samples: an unbiased estimate.
        kl_per_dim_UD: the same KL by dimension; None unless both distributions factorise (given the levels above).
        unit_B: the unit to which each sentence belongs; None if unit b is sentence b.
        extended: whether the densities include auxiliary variables. Then E_q[log q - log p] is an upper bound on the
            KL, not the KL, and is reported as `extended_rate`.
        levels: the number of equal parts of z, each conditioned on those before it (see `kl_by_level`).
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
    """All that an objective or a bound gets to see of a model and a batch.

    Attributes:
        log_px_z_SB: log p(x|z) summed over tokens, nats per sentence.
        log_weight_SB: log of each sample's weight in the average over S; -log S, except where labels are summed over or
            the samples are stratified. The weights of a sentence sum to one, or do so in expectation where labels are
            drawn.
        tokens_B: predicted tokens per sentence (EOS included, BOS not).
        latents: one group for each latent variable; empty for a language model.
        baseline_B: where the weights sum to one only in expectation: a number near the loss, nats, without a gradient.
            It takes noise from `nll_B`; see `LabelSum.baseline`.
    """

    log_px_z_SB: Tensor
    log_weight_SB: Tensor
    tokens_B: Tensor
    latents: tuple[LatentGroup, ...] = ()
    baseline_B: Tensor | None = None

    @property
    def nll_B(self) -> Tensor:
        """-E_q log p(x|z), nats, [B].

        >>> log_p, log_weight = torch.tensor([[-3.0], [-5.0]]), torch.tensor([[0.5], [0.25]]).log()
        >>> LatentTerms(log_p, log_weight, torch.tensor([4]), baseline_B=torch.tensor([4.0])).nll_B.tolist()
        [3.75]
        """
        weight_SB = self.log_weight_SB.exp()
        found_B = -(weight_SB * self.log_px_z_SB).sum(0)
        return found_B if self.baseline_B is None else found_B + self.baseline_B * (1.0 - weight_SB.sum(0))


@dataclass(frozen=True)
class ObjectiveOutput:
    """What an objective returns.

    Attributes:
        loss_B: the loss of each sentence, nats. The trainer divides its sum by the number of sentences in the global
            batch, so that training with several processes equals training with one.
        metrics_B: named values per sentence, detached. `nll` (minus log p(x|z)) is always there. So are `kl`, the
            unweighted KL, and `kl_penalty`, what the loss charges in its place, unless the posterior has no density.
            With an extended latent variable `extended_rate` replaces `kl`.
        kl_weight: the weight of the schedule at this step.
    """

    loss_B: Tensor
    metrics_B: dict[str, Tensor] = field(default_factory=dict)
    kl_weight: float = 1.0
