"""The few data types every part of textvae speaks. No logic lives here.

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

from dataclasses import dataclass, field

from torch import Tensor
from torch.distributions import Distribution

PAD_ID, BOS_ID, EOS_ID, UNK_ID = 0, 1, 2, 3
"""Every tokenizer reserves these four ids, in this order."""

NO_LABEL = -1
"""`Batch.label_B` of a sentence without a label."""


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


@dataclass(frozen=True)
class Context:
    """What a posterior, a prior or a decoder is conditioned on besides its main input.

    Attributes:
        label_B: class of each row, int64.
        vector_BH: any other condition.
        example_id_B: which training example a row is (memories need it).
    """

    label_B: Tensor | None = None
    vector_BH: Tensor | None = None
    example_id_B: Tensor | None = None


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
