"""Filling blanks by iterated conditional modes over z and the blanks (Bowman et al. 2016, section 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from textvae.distributions import LatentDistribution
from textvae.evaluation.noise import Stream, draw, own_randomness
from textvae.generation import Blank, Filling, Slot, constrained_beam, inference
from textvae.models import TextModel
from textvae.tasks.sentences import batch_of, chunks
from textvae.types import UNK_ID

_SCORED_AT_ONCE = 4096
"""Most sentences times samples in one decoder call."""

Words = tuple[int, ...]


@dataclass(frozen=True)
class Completion:
    """One way to fill a sentence's blanks.

    Attributes:
        tokens: the whole sentence, without BOS and EOS.
        fillers: the tokens in each blank.
        log_prob: importance-weighted estimate of log p(tokens), nats; exact for a language model.
        probability: share of exp(log_prob) among the ranked completions.
    """

    tokens: Words
    fillers: tuple[Words, ...]
    log_prob: float
    probability: float


@dataclass
class Completed:
    """The result of the search for one sentence.

    Attributes:
        completions: ranked, best first.
        trace: after each round, log p(x, z) at the z and the words of that round, nats (for a language model
            one entry, log p(x)).
        best: the sentence of the round with the highest log p(x, z).
    """

    completions: list[Completion] = field(default_factory=list)
    trace: list[float] = field(default_factory=list)
    best: Words = ()


@torch.no_grad()
def iterated_modes(
    model: TextModel,
    templates: Sequence[Sequence[Slot]],
    *,
    rounds: int,
    width: int,
    expand: int,
    candidates: int,
    samples: int,
    seed: int,
    places: np.ndarray | None = None,
) -> list[Completed]:
    """Fill the blanks of all sentences together.

    A round first sets z to the mode of q(z|x), where x contains the best words so far (`<unk>` for each blank at
    first). It then fills the blanks by constrained beam search under p(x|z). The words of the round before are
    scored under the new z as well, so the second step never lowers log p(x, z). The first step may lower it
    where q is not the exact posterior, so the best pair of all rounds is kept. The search for a sentence ends
    when a round changes none of its words. Completions are ranked by their marginal probability, see `_marginal`.

    Args:
        model: a TextVAE; or a LanguageModel, for which there is one exact round.
        templates: fixed tokens and gaps of each sentence.
        rounds: most alternations.
        width: see `constrained_beam`.
        expand: see `constrained_beam`.
        candidates: completions of a sentence that are ranked, the best by log p(x, z) over all rounds.
        samples: draws of z for the ranking.
        seed: of these draws.
        places: the number of each sentence, to which its draws belong, int64 [N]; they do not depend on the other
            sentences. 0 to N - 1 when None.
    """
    device = model.device
    found = [Completed() for _ in templates]
    pool: list[dict[Words, tuple[float, Filling]]] = [{} for _ in templates]
    current: list[Words] = [_with_unknowns(template) for template in templates]
    fillers: list[tuple[Words, ...]] = [() for _ in templates]
    active = list(range(len(templates)))
    with inference(model):
        for number in range(rounds if model.has_code else 1):
            if not active:
                break
            if model.has_code:
                z_ND, log_prior_N = _modes(model, [current[i] for i in active])
            else:
                z_ND = torch.zeros(len(active), 0, device=device)
                log_prior_N = torch.zeros(len(active), device=device)
            searched = constrained_beam(
                model.decoder,
                z_ND,
                [templates[i] for i in active],
                width=width,
                expand=expand,
                best=candidates,
                max_tokens=model.max_tokens,
            )
            if number:
                before = _log_px_z(model, [current[i] for i in active], z_ND.unsqueeze(0))[0].tolist()
                for i, fillings, log_prob in zip(active, searched, before, strict=True):
                    if all(filling.tokens != current[i] for filling in fillings):
                        fillings.append(Filling(current[i], fillers[i], log_prob))
                        fillings.sort(key=lambda filling: -filling.log_prob)
            changed = []
            for i, fillings, log_prior in zip(active, searched, log_prior_N.tolist(), strict=True):
                for filling in fillings:
                    joint = filling.log_prob + log_prior
                    if filling.tokens not in pool[i] or joint > pool[i][filling.tokens][0]:
                        pool[i][filling.tokens] = (joint, filling)
                if not fillings:
                    continue
                top = fillings[0]
                found[i].trace.append(top.log_prob + log_prior)
                if found[i].trace[-1] >= max(found[i].trace):
                    found[i].best = top.tokens
                if top.tokens != current[i]:
                    changed.append(i)
                current[i], fillers[i] = top.tokens, top.fillers
            active = changed
        kept = [
            [filling for _, filling in sorted(some.values(), key=lambda pair: -pair[0])[:candidates]] for some in pool
        ]
        _rank(model, found, kept, samples, seed, np.arange(len(templates)) if places is None else places)
    return found


def _with_unknowns(template: Sequence[Slot]) -> Words:
    return tuple(UNK_ID if isinstance(slot, Blank) else slot for slot in template)


def _modes(model: TextModel, sentences: Sequence[Words]) -> tuple[Tensor, Tensor]:
    """The mode of q(z|x) [N, D] and log p(z) there [N], nats."""
    z_parts, log_prior_parts = [], []
    for part in chunks(len(sentences)):
        z_ND = _mode_of(model.posterior_of(batch_of(sentences[part], model.device)))
        z_parts.append(z_ND)
        log_prior_parts.append(model.prior_given().log_prob(z_ND))
    return torch.cat(z_parts), torch.cat(log_prior_parts)


def _mode_of(distribution: LatentDistribution) -> Tensor:
    """The mode where it is known, else the mean, else `LatentDistribution.center`."""
    with suppress(NotImplementedError):
        return distribution.mode
    with suppress(NotImplementedError):
        return distribution.mean
    return distribution.center


def _log_px_z(model: TextModel, sentences: Sequence[Words], z_SND: Tensor) -> Tensor:
    """log p(x|z) of each sentence under its codes, [S, N], in decoder calls of bounded size."""
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    log_prob_SN = torch.empty(z_SND.shape[:2], dtype=torch.float64, device=z_SND.device)
    for part in chunks(len(order), max(1, _SCORED_AT_ONCE // z_SND.shape[0])):
        index = order[part]
        batch = batch_of([sentences[i] for i in index], z_SND.device)
        log_prob_SN[:, index] = model.decoder.log_prob(batch.tokens_BT, z_SND[:, index]).double()
    return log_prob_SN


def _rank(
    model: TextModel,
    found: list[Completed],
    kept: list[list[Filling]],
    samples: int,
    seed: int,
    places: np.ndarray,
) -> None:
    """Add to every sentence its completions, ranked by the probability of the whole sentence."""
    owner = [i for i, fillings in enumerate(kept) for _ in fillings]
    flat = [filling for fillings in kept for filling in fillings]
    if not flat:
        return
    if model.has_code:
        scores = _marginal(model, [f.tokens for f in flat], owner, found, samples, seed, places)
    else:
        scores = [filling.log_prob for filling in flat]
    totals: dict[int, float] = {}
    for i, score in zip(owner, scores, strict=True):
        high, low = max(totals.get(i, -math.inf), score), min(totals.get(i, -math.inf), score)
        totals[i] = high if high == -math.inf else high + math.log1p(math.exp(low - high))
    for i, filling, score in sorted(zip(owner, flat, scores, strict=True), key=lambda entry: -entry[2]):
        share = math.exp(score - totals[i]) if totals[i] > -math.inf else 0.0
        found[i].completions.append(Completion(filling.tokens, filling.fillers, score, share))


def _marginal(
    model: TextModel,
    sentences: Sequence[Words],
    owner: Sequence[int],
    found: Sequence[Completed],
    samples: int,
    seed: int,
    places: np.ndarray,
) -> list[float]:
    """Importance-weighted log p(x), nats.

    All completions of a sentence share the same samples z_k of q(z | its best completion):
    log p(x) is estimated by log (1/K) sum_k p(x|z_k) p(z_k) / q(z_k). The estimate of p(x) is unbiased for each
    completion, and the common noise cancels in comparisons.
    """
    device = model.device
    index_of = {i: place for place, i in enumerate(dict.fromkeys(owner))}
    z_parts, weight_parts = [], []
    bests, place_N = [found[i].best for i in index_of], places[list(index_of)]
    with own_randomness(model):
        for part in chunks(len(bests)):
            # Importance weights are right for any proposal density. For an implicit posterior it is a Gaussian with
            # its moments.
            posterior = model.posterior_of(batch_of(bests[part], device)).proposal
            z_SBD, log_q_SB = draw(posterior, place_N[part], seed, samples, stream=Stream.COMPLETIONS, device=device)
            z_parts.append(z_SBD)
            weight_parts.append(model.prior_given().log_prob(z_SBD) - log_q_SB)
    z_SBD, weight_SB = torch.cat(z_parts, 1), torch.cat(weight_parts, 1).double()
    scores: list[float] = []
    # The codes of a sentence are repeated for each of its completions, so completions are scored in chunks.
    for part in chunks(len(sentences), _SCORED_AT_ONCE):
        place = torch.tensor([index_of[i] for i in owner[part]], device=device)
        log_px_z_SN = _log_px_z(model, sentences[part], z_SBD[:, place])
        scores += ((log_px_z_SN + weight_SB[:, place]).logsumexp(0) - math.log(samples)).tolist()
    return scores
