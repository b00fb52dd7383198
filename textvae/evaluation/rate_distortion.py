"""Lossy codes: rate and distortion when only the first levels of a hierarchical code are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_count, checked_seed
from textvae.config import MAX_SAMPLES
from textvae.distributions import DiagonalGaussian, LatentDistribution
from textvae.evaluation.likelihood import SAMPLES_AT_ONCE, mean_and_error
from textvae.evaluation.noise import Stream, draw, sample_blocks
from textvae.evaluation.protocol import Corpus, Progress, cpu64, terms_of_one, vector_group
from textvae.evaluation.sweep import BATCH_TOKENS, Part, places, sweep
from textvae.models import TextModel
from textvae.models.text_vae import levels_of
from textvae.types import Batch


@dataclass(frozen=True)
class RateDistortion:
    """Rate and distortion of N sentences, by the number k = 0 .. L of levels sent; float64 [N, L + 1], nats.

    Attributes:
        rate: sum of the first k levels' KLs, each given the levels above.
        distortion: -E log p(x|z), with the first k levels from q(z|x) and the others from the prior given these.
    """

    rate: np.ndarray
    distortion: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """A row for each k: `levels`, `rate`, `rate_se`, `distortion`, `distortion_se`; no errors for one sentence."""
        rows = []
        for k in range(self.rate.shape[1]):
            (rate, rate_se), (distortion, distortion_se) = (
                mean_and_error(values[:, k]) for values in (self.rate, self.distortion)
            )
            row = {"rate": rate, "rate_se": rate_se, "distortion": distortion, "distortion_se": distortion_se}
            rows.append({"levels": k, **{name: value for name, value in row.items() if value is not None}})
        return rows


def rate_distortion(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray | None = None,
    *,
    num_samples: int,
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
) -> RateDistortion | None:
    """Rate and distortion of a code sent level by level from the top (Gregor et al. 2016, arXiv 1604.08772, section 4).

    The rate of k levels is the code length of bits-back coding; it never falls with k. At k = L rate and distortion
    sum to minus the ELBO; the samples are those of `likelihood`. The distortion falls with every level that has
    information about the sentence beyond the levels above, if the decoder uses it. The prior's draws are the same for
    every k.

    Args:
        model: with one latent vector for each sentence.
        corpus: tokenized sentences.
        indices: which of them; all when None.
        num_samples: codes for each sentence; each is decoded L + 1 times.
        batch_tokens: rows times tokens of a decoder call, at most.
        seed: of the draws.
        progress: called after every batch.

    Returns:
        None for a model whose code has one level, whose levels are not Gaussian given those above, or that has other
        latent variables beside the code.
    """
    seed = checked_seed(seed)
    num_samples = checked_count(num_samples, "num_samples", 1, MAX_SAMPLES)
    indices = places(corpus, indices)
    rate_NK: np.ndarray | None = None
    distortion_NK = np.zeros((0, 0))
    swept = sweep(
        model,
        corpus,
        indices,
        "levels",
        batch_tokens=batch_tokens,
        copies=min(num_samples, SAMPLES_AT_ONCE),
        progress=progress,
    )
    with swept as parts:
        for part in parts:
            if rate_NK is None:
                levels = _levels(model, part.batch)
                if levels == 1:
                    return None
                rate_NK, distortion_NK = np.zeros((2, len(indices), levels + 1))
            rate_BK, distortion_BK = _measure(model, part, levels, num_samples, batch_tokens, seed)
            rate_NK[part.rows], distortion_NK[part.rows] = cpu64(rate_BK), cpu64(distortion_BK)
    return None if rate_NK is None else RateDistortion(rate_NK, distortion_NK)


def _levels(model: TextModel, batch: Batch) -> int:
    """Levels of the model's code; 1 where the KL of each level is unknown."""
    group = vector_group(model, terms_of_one(model, batch))
    return 1 if group is None or group.kl_per_dim_UD is None else group.levels


def _measure(
    model: TextModel, part: Part, levels: int, num_samples: int, batch_tokens: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Rate and distortion of each sentence, float64 [B, L + 1]."""
    batch, ids, device = part.batch, part.example_ids, model.device
    posterior, prior = model.posterior_of(batch), model.prior_given()
    at_once = max(1, batch_tokens // batch.tokens_BT.numel())
    zeros_BD = torch.zeros_like(posterior.center)
    noise_of = DiagonalGaussian(zeros_BD, torch.ones_like(zeros_BD), validate_args=False)
    rate_BK, distortion_BK = torch.zeros(2, len(ids), levels + 1, dtype=torch.float64, device=device)
    for block, count in sample_blocks(num_samples):
        z_SBD, _ = draw(posterior, ids, seed, count, stream=Stream.LIKELIHOOD + block, device=device)
        noise_SBD, _ = draw(noise_of, ids, seed, count, stream=Stream.UNSENT_LEVELS + block, device=device)
        kl_SBD = posterior.kl_per_dim_given(prior, z_SBD)
        assert kl_SBD is not None  # each level is Gaussian given the levels above
        kl_BL = kl_SBD.double().sum(0).unflatten(-1, (levels, -1)).sum(-1)
        rate_BK[:, 1:] += kl_BL.cumsum(-1)
        for k in range(levels + 1):
            sent_SBD = completed(prior, z_SBD, k, levels, noise_SBD)
            for some_SBD in sent_SBD.split(at_once):
                distortion_BK[:, k] -= model.decoder.log_prob(batch.tokens_BT, some_SBD).double().sum(0)
    return rate_BK / num_samples, distortion_BK / num_samples


def completed(prior: LatentDistribution, z: Tensor, sent: int, levels: int, noise: Tensor) -> Tensor:
    """A code with its first levels kept and the others drawn from the prior, each given those above.

    Args:
        prior: each of its coordinates is Gaussian given those before it (see `LatentDistribution.given`).
        z: codes, [..., D].
        sent: levels to keep.
        levels: L.
        noise: standard normal, [..., D]; zeros give the prior's means.
    """
    parts, noises = list(z.split(z.shape[-1] // levels, -1)), noise.split(z.shape[-1] // levels, -1)
    for level in range(sent, levels):
        given = prior.given(torch.cat(parts, -1))
        assert isinstance(given, DiagonalGaussian)  # each level is Gaussian given the levels above
        loc, scale = (x.unflatten(-1, (levels, -1))[..., level, :] for x in (given.loc, given.scale))
        parts[level] = loc + scale * noises[level]
    return torch.cat(parts, -1)


def lossy_codes(model: TextModel, sent: int, batch: Batch) -> Tensor:
    """Codes with the posterior's center in the first levels and the prior's means given these in the others, [B, D].

    Args:
        model: with a hierarchical code.
        sent: levels to keep; with all of them the result is the posterior's center.
        batch: sentences.
    """
    posterior, prior = model.posterior_of(batch), model.prior_given()
    center_BD = posterior.center
    return completed(prior, center_BD, sent, levels_of(posterior, prior), torch.zeros_like(center_BD))
