"""Information of z about its sentence: mutual information, active units, KL of aggregated posterior to prior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.distributions import LatentDistribution
from textvae.distributions import unit_variance as unit_variance_of
from textvae.evaluation.likelihood import mean_and_error
from textvae.evaluation.noise import Stream, draw, draw_codes
from textvae.evaluation.protocol import Corpus, Progress, cpu64, terms_of_one
from textvae.evaluation.sweep import BATCH_TOKENS, sweep
from textvae.models import TextModel

ACTIVE_VARIANCE = 0.01
"""A unit is active when the variance of its posterior mean over sentences exceeds this (Burda et al. 2016).

In units of `LatentDistribution.unit_variance`: on the unit sphere the D variances sum to at most 1."""

_BLOCK = 2048
_FIXED = 1000
"""Sentences of `mi_1000`, and the seed of the shuffle that chooses them."""


@dataclass(frozen=True)
class Information:
    """Information of a model's codes about N sentences.

    Attributes:
        mi: mutual information of sentence and z under q, nats; None where q has no density.
        mi_se: its standard error over sentences.
        mi_sentences: N, the sentences of the aggregated posterior.
        mi_cap: log N, which `mi` cannot exceed.
        mi_1000: the same of the first 1000 of a fixed shuffle of these sentences, for comparing models that were
            measured on different numbers; None where there are fewer.
        mi_1000_se: its standard error over sentences.
        marginal_kl: KL(q(z) || p(z)) of the aggregated posterior, nats; KL = mi + marginal_kl.
        marginal_kl_se: its standard error over sentences.
        means_ND: posterior means, float32, in the order of the indices; None where the mean of q is unknown.
        codes_ND: one sample of q for each sentence.
        unit_variance: the scale of a coordinate's variance: 1 / D on the unit sphere, else 1.
    """

    mi: float | None
    mi_se: float | None
    mi_sentences: int
    mi_cap: float
    mi_1000: float | None
    mi_1000_se: float | None
    marginal_kl: float | None
    marginal_kl_se: float | None
    means_ND: np.ndarray | None
    codes_ND: Tensor
    unit_variance: float = 1.0


def information(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    *,
    mi_sentences: int = 10_000,
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Information:
    """Encode sentences and measure their codes.

    The aggregated posterior q(z) = (1/N) sum_j q(z|x_j) is the mean over the first `mi_sentences` of the indices. It
    is not estimated inside batches, because such an estimate cannot exceed the log of the batch size. With z_i from
    q(z|x_i), MI = mean_i [log q(z_i|x_i) - log q(z_i)] (Hoffman & Johnson 2016). Both terms use the same z_i, so that
    most of their noise cancels. Near collapse the estimate scatters around zero and may be negative.

    A semi-supervised model is measured at the likeliest label of each sentence.
    """
    seed, indices, device = checked_seed(seed), np.asarray(indices), model.device
    used = min(mi_sentences, len(indices))
    posteriors: list[LatentDistribution] = []
    codes: list[Tensor] = []
    means: list[Tensor] | None = []
    log_q = np.zeros(len(indices))
    kept: list[np.ndarray] = []
    places: list[np.ndarray] = []
    has_density, prior, unit_variance = True, None, 1.0
    with sweep(model, corpus, indices, "codes", batch_tokens=batch_tokens, progress=progress) as parts:
        for part in parts:
            if not places:
                group = terms_of_one(model, part.batch).latents[0]
                has_density = group.log_q_SU is not None and not group.extended
                prior, unit_variance = group.prior, unit_variance_of(group.posterior)
            posterior = model.posterior_of(part.batch)
            if has_density:
                z_SBD, log_q_SB = draw(posterior, part.example_ids, seed, 1, stream=Stream.CODES, device=device)
                log_q[part.rows] = cpu64(log_q_SB[0])
            else:
                z_SBD = draw_codes(posterior, part.example_ids, seed, 1, stream=Stream.CODES, device=device)
            codes.append(z_SBD[0])
            means = _append_mean(means, posterior)
            keep = np.flatnonzero(part.rows < used)
            if has_density and len(keep):
                posteriors.append(posterior.rows(torch.as_tensor(keep, device=device)))
                kept.append(part.rows[keep])
            places.append(part.rows)
        order = torch.as_tensor(np.argsort(np.concatenate(places)), device=device)
        codes_ND = torch.cat(codes)[order]
        means_ND = None if means is None else torch.cat(means)[order].float().cpu().numpy()
        mi = mi_se = mi_1000 = mi_1000_se = marginal_kl = marginal_kl_se = None
        if has_density:
            log_marginal = log_aggregated(posteriors, codes_ND[:used])
            mi, mi_se = mean_and_error(log_q[:used] - log_marginal)
            if used >= _FIXED:
                some = np.sort(np.random.default_rng(_FIXED).permutation(used)[:_FIXED])
                chosen = [np.flatnonzero(np.isin(rows, some)) for rows in kept]
                of_some = [
                    posterior.rows(torch.as_tensor(rows, device=device))
                    for posterior, rows in zip(posteriors, chosen, strict=True)
                    if len(rows)
                ]
                log_marginal_some = log_aggregated(of_some, codes_ND[torch.as_tensor(some, device=device)])
                mi_1000, mi_1000_se = mean_and_error(log_q[some] - log_marginal_some)
            if prior is not None:
                log_prior = cpu64(prior.log_prob(codes_ND[:used]))
                marginal_kl, marginal_kl_se = mean_and_error(log_marginal - log_prior)
    return Information(
        mi=mi,
        mi_se=mi_se,
        mi_sentences=used,
        mi_cap=math.log(used),
        mi_1000=mi_1000,
        mi_1000_se=mi_1000_se,
        marginal_kl=marginal_kl,
        marginal_kl_se=marginal_kl_se,
        means_ND=means_ND,
        codes_ND=codes_ND,
        unit_variance=unit_variance,
    )


def log_aggregated(posteriors: list[LatentDistribution], z_MD: Tensor) -> np.ndarray:
    """log of (1/N) sum_j q(z|x_j), float64 [M], nats. Computes N x M densities, a block at a time.

    Args:
        posteriors: distributions of batch shape [U], N rows in all.
        z_MD: codes.
    """
    total = sum(int(posterior.batch_shape[0]) for posterior in posteriors)
    found = []
    for z_block in z_MD.split(_BLOCK):
        log_sum_M = torch.full((len(z_block),), -torch.inf, dtype=torch.float64, device=z_MD.device)
        for posterior in posteriors:
            pairwise_MU = posterior.pairwise_log_prob(z_block).double()
            log_sum_M = torch.logaddexp(log_sum_M, pairwise_MU.logsumexp(1))
        found.append(log_sum_M - math.log(total))
    return cpu64(torch.cat(found))


def _append_mean(means: list[Tensor] | None, posterior: LatentDistribution) -> list[Tensor] | None:
    if means is None:
        return None
    try:
        means.append(posterior.mean)
    except NotImplementedError:
        return None
    return means


def active_units(means_ND: np.ndarray, unit_variance: float = 1.0) -> int:
    """Units whose posterior mean varies over sentences: Var_x(E_q[z_d]) > `ACTIVE_VARIANCE` * unit_variance.

    Args:
        means_ND: posterior means.
        unit_variance: see `LatentDistribution.unit_variance`.

    >>> active_units(np.array([[0.0, 1.0], [0.05, -1.0]]))
    1
    """
    means = means_ND.astype(np.float64) / math.sqrt(unit_variance)
    means = means - means.mean(axis=0)
    return active_units_of_sums(torch.from_numpy(np.stack([means.sum(0), np.square(means).sum(0)])), len(means))


def active_units_of_sums(sums_2D: Tensor, count: int) -> int:
    """`active_units` from sums over sentences, which can be accumulated over batches and processes.

    Args:
        sums_2D: sums of the posterior means and of their squares, means in units of sqrt(unit_variance).
        count: N, the number of sentences. The variance is the unbiased one, with N - 1 degrees of freedom.
    """
    if count < 2:
        return 0
    mean_D, square_D = sums_2D / count
    variance_D = (square_D - mean_D.square()) * (count / (count - 1))
    return int((variance_D > ACTIVE_VARIANCE).sum())
