"""Bounds on log p(x), sentence by sentence: the ELBO and the importance-weighted bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_count, checked_seed
from textvae.config import MAX_SAMPLES
from textvae.evaluation.noise import SAMPLE_BLOCK, Stream, draw, draw_codes, own_randomness, sentence_seeds
from textvae.evaluation.protocol import Corpus, Progress, cpu64, is_implicit, prior_for, probe, unlabelled, vector_group
from textvae.evaluation.streaming import LogMeanExp, ladder
from textvae.models import TextModel
from textvae.models.text_vae import closed_form_kl, levels_of
from textvae.objectives import kl_by_level, log_importance_weights
from textvae.text.batching import sequential_batches
from textvae.types import Batch, LatentTerms

_SAMPLES_BESIDE = 16
"""Sentences are batched so that about this many samples of each share a decoder call: buckets of fewer sentences
have less padding, and the rows of a call stay as many."""


@dataclass(frozen=True)
class Likelihood:
    """Bounds of every sentence, float64 [N], nats, in the order of the indices asked for.

    Attributes:
        elbo_nll: minus the ELBO (the KL in closed form where there is one); None for a q without a density.
        iw_nll: minus the importance-weighted bound with `num_samples` samples; the exact NLL where `exact`; None for a
            q without a density.
        rec_nll: -E_q[log p(x|z)].
        kl: KL(q(z|x) || p(z)), over all latent variables; None where the densities are no plain ones.
        tokens: predicted tokens, EOS counted, BOS not.
        num_samples: k.
        exact: True for a model without latent variables.
        curve: minus the bound with k samples, by k, from these same samples: {k: [N]}.
        level_kl: of a code in levels, the KL of each given the levels above, which sum to `kl`: `kl_z_1` (the top) ...
    """

    elbo_nll: np.ndarray | None
    iw_nll: np.ndarray | None
    rec_nll: np.ndarray
    kl: np.ndarray | None
    tokens: np.ndarray
    num_samples: int
    exact: bool
    curve: dict[int, np.ndarray]
    level_kl: dict[str, np.ndarray] = field(default_factory=dict)


def likelihood(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray | None = None,
    *,
    num_samples: int,
    batch_tokens: int = 16384,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Likelihood:
    """Minus log p(x), bounded from above, for each sentence.

    L_k = E log (1/k) sum_i p(x, z_i) / q(z_i|x), with z_i from q(z|x); L_1 is the ELBO, and L_k rises to log p(x)
    (Burda et al. 2016, arXiv 1509.00519). Sentences are encoded once; samples stream through the decoder, many
    sentences and samples to a call. Labels are hidden: a semi-supervised model sums them out. Vectors are not: with a
    prior conditioned on vectors it is minus log p(x|vector), and the corpus' batches must carry them.

    An ordinary VAE's samples belong to the sentence and depend on `seed` and its place in the corpus alone, so no
    result changes with `batch_tokens` or the choice of other sentences beyond rounding. Models with several latent
    variables draw by batch; theirs changes within its standard error.

    Args:
        model: anything with `terms`; of an ordinary VAE `posterior_of`, `prior()` and `decoder` are used.
        corpus: tokenized sentences.
        indices: which of them; all when None.
        num_samples: k.
        batch_tokens: rows times tokens of a decoder call, at most (more only where one sentence has more).
        seed: of the samples.
        device: where the model is.
        progress: called after every batch.
    """
    seed = checked_seed(seed)
    num_samples = checked_count(num_samples, "num_samples", 1, MAX_SAMPLES)
    device = torch.device(device)
    indices = np.arange(len(corpus)) if indices is None else np.asarray(indices)
    lengths = np.asarray(corpus.lengths)[indices]
    budget = max(int(lengths.max(initial=1)), batch_tokens // min(num_samples, _SAMPLES_BESIDE))
    columns: dict[str, np.ndarray] = {}
    curves: dict[int, np.ndarray] = {}
    exact, done = False, 0
    kinds: LatentTerms | None = None
    with own_randomness(model, device):
        for rows in sequential_batches(lengths, budget):
            batch = unlabelled(corpus, indices[rows], device)
            if kinds is None:
                kinds = probe(model, batch)
            measured = _measure(model, kinds, batch, indices[rows], num_samples, batch_tokens, seed)
            exact = measured.exact
            for name, values in measured.values.items():
                columns.setdefault(name, np.zeros(len(indices)))[rows] = cpu64(values)
            for k, values in measured.curve.items():
                curves.setdefault(k, np.zeros(len(indices)))[rows] = cpu64(-values)
            done += len(rows)
            if progress is not None:
                progress("likelihood", done, len(indices))
    used = 1 if exact else num_samples
    return Likelihood(
        elbo_nll=columns.get("elbo_nll"),
        iw_nll=curves.get(used),
        rec_nll=columns["rec_nll"],
        kl=columns.get("kl"),
        tokens=lengths.astype(np.int64) - 1,
        num_samples=used,
        exact=exact,
        curve=curves,
        level_kl={name: values for name, values in columns.items() if name.startswith("kl_")},
    )


@dataclass
class _Measured:
    values: dict[str, Tensor]
    curve: dict[int, Tensor]
    exact: bool = False


def _measure(
    model: TextModel,
    kinds: LatentTerms,
    batch: Batch,
    example_ids: np.ndarray,
    num_samples: int,
    batch_tokens: int,
    seed: int,
) -> _Measured:
    if not kinds.latents:
        log_px_B = model.terms(batch, 1).log_px_z_SB[0].double()
        return _Measured(
            {"elbo_nll": -log_px_B, "rec_nll": -log_px_B, "kl": torch.zeros_like(log_px_B)}, {1: log_px_B}, True
        )
    at_once = max(1, batch_tokens // batch.tokens_BT.numel())
    if is_implicit(kinds):
        return _implicit(model, batch, example_ids, num_samples, at_once, seed)
    if vector_group(kinds) is not None:
        return _plain(model, batch, example_ids, num_samples, at_once, seed)
    return _general(model, kinds, batch, example_ids, num_samples, at_once, seed)


def _plain(
    model: TextModel, batch: Batch, example_ids: np.ndarray, num_samples: int, at_once: int, seed: int
) -> _Measured:
    """One latent vector a sentence: encode once, then only the decoder runs."""
    posterior, prior = model.posterior_of(batch), prior_for(model, batch)
    streams = {k: LogMeanExp(k) for k in ladder(num_samples)}
    kl_B, kl_BD = closed_form_kl(posterior, prior), None
    log_px_B = log_ratio_B = torch.zeros(len(example_ids), dtype=torch.float64, device=batch.tokens_BT.device)
    for block, start in enumerate(range(0, num_samples, SAMPLE_BLOCK)):
        count, device = min(SAMPLE_BLOCK, num_samples - start), batch.tokens_BT.device
        z_SBD, log_q_SB = draw(posterior, example_ids, seed, count, stream=Stream.LIKELIHOOD + block, device=device)
        log_ratio_SB = (prior.log_prob(z_SBD) - log_q_SB).double()
        for first in range(0, len(z_SBD), at_once):
            chunk = slice(first, first + at_once)
            log_px_SB = model.decoder.log_prob(batch.tokens_BT, z_SBD[chunk]).double()
            log_px_B = log_px_B + log_px_SB.sum(0)
            for stream in streams.values():
                stream.update(log_px_SB + log_ratio_SB[chunk])
        log_ratio_B = log_ratio_B + log_ratio_SB.sum(0)
        given_SBD = posterior.kl_per_dim_given(prior, z_SBD) if kl_B is None else None
        if given_SBD is not None:
            given_BD = given_SBD.double().sum(0) / num_samples
            kl_BD = given_BD if kl_BD is None else kl_BD + given_BD
    if kl_BD is not None:
        kl_B = kl_BD.sum(-1)
    kl_B = -log_ratio_B / num_samples if kl_B is None else kl_B.double()
    rec_nll_B = -log_px_B / num_samples
    values = {"elbo_nll": rec_nll_B + kl_B, "rec_nll": rec_nll_B}
    if not posterior.extended:
        values |= {"kl": kl_B, **kl_by_level("z", levels_of(posterior, prior), kl_BD)}
    return _Measured(values, {k: stream.value() for k, stream in streams.items()})


def _implicit(
    model: TextModel, batch: Batch, example_ids: np.ndarray, num_samples: int, at_once: int, seed: int
) -> _Measured:
    """One latent vector a sentence whose q has no density: no bound, only what the decoder says of its codes."""
    posterior = model.posterior_of(batch)
    log_px_B = torch.zeros(len(example_ids), dtype=torch.float64, device=batch.tokens_BT.device)
    for block, start in enumerate(range(0, num_samples, SAMPLE_BLOCK)):
        count = min(SAMPLE_BLOCK, num_samples - start)
        z_SBD = draw_codes(
            posterior, example_ids, seed, count, stream=Stream.LIKELIHOOD + block, device=batch.tokens_BT.device
        )
        for chunk_SBD in z_SBD.split(at_once):
            log_px_B = log_px_B + model.decoder.log_prob(batch.tokens_BT, chunk_SBD).double().sum(0)
    return _Measured({"rec_nll": -log_px_B / num_samples}, {})


def _general(
    model: TextModel,
    kinds: LatentTerms,
    batch: Batch,
    example_ids: np.ndarray,
    num_samples: int,
    at_once: int,
    seed: int,
) -> _Measured:
    """Any latent variables a model's terms describe; each call draws a chunk of samples."""
    streams = {k: LogMeanExp(k) for k in ladder(num_samples)}
    sums: dict[str, Tensor] = {}
    # Enumerated labels are samples too, so fewer of the others fit beside them.
    at_once = max(1, at_once // len(kinds.log_px_z_SB))
    for first in range(0, num_samples, at_once):
        count = min(at_once, num_samples - first)
        torch.manual_seed(int(sentence_seeds(seed, example_ids[:1], stream=Stream.LIKELIHOOD + first)[0]))
        terms = model.terms(batch, count)
        for name, value_B in _averages(terms).items():
            sums[name] = sums.get(name, torch.zeros_like(value_B)) + count * value_B
        log_w_SB = log_weights_by_sample(terms, count)
        if log_w_SB is not None:
            for stream in streams.values():
                stream.update(log_w_SB)
    values = {name: total / num_samples for name, total in sums.items()}
    if "elbo" in values:
        values["elbo_nll"] = -values.pop("elbo")
        return _Measured(values, {k: stream.value() for k, stream in streams.items()})
    return _Measured(values, {})


def log_weights_by_sample(terms: LatentTerms, num_samples: int) -> Tensor | None:
    """log p(x, z) - log q(z|x) of each sample, float64 [num_samples, B]; labels that were enumerated are summed out.

    Terms list samples outermost: row i * C + c is sample i with label c. None where a latent variable has no density.
    """
    if any(group.log_q_SU is None for group in terms.latents):
        return None
    log_w_SB = log_importance_weights(replace(terms, log_px_z_SB=terms.log_px_z_SB.double()))
    weighted = (log_w_SB + terms.log_weight_SB.double() + math.log(num_samples)).unflatten(0, (num_samples, -1))
    return weighted.logsumexp(1)


def _averages(terms: LatentTerms) -> dict[str, Tensor]:
    """Expectations under q of one call's samples: `rec_nll`, `elbo` and, where they are plain densities, `kl`; [B]."""
    weight_SB = terms.log_weight_SB.double().exp()
    found = {"rec_nll": -_expect(weight_SB, terms.log_px_z_SB)}
    kl_B = torch.zeros_like(found["rec_nll"])
    for group in terms.latents:
        if group.log_q_SU is None:
            return found
        if group.kl_U is not None:
            kl_B = kl_B + group.kl_U.double()
        else:
            kl_B = kl_B + _expect(weight_SB, group.log_q_SU - group.log_p_SU)
    found["elbo"] = -found["rec_nll"] - kl_B
    if not any(group.extended for group in terms.latents):
        found["kl"] = kl_B
        for group in terms.latents:
            by_level = kl_by_level(group.name, group.levels, group.kl_per_dim_UD)
            found |= {name: level_kl_B.double() for name, level_kl_B in by_level.items()}
    return found


def _expect(weight_SB: Tensor, value_SB: Tensor) -> Tensor:
    # A label that has probability zero counts nothing, whatever its value is.
    return torch.where(weight_SB > 0, weight_SB * value_SB.double(), 0.0).sum(0)


def mean_and_error(values_N: np.ndarray) -> tuple[float, float | None]:
    """The mean over sentences and its standard error; no error for a single sentence."""
    total = float(np.sum(values_N, dtype=np.float64))
    mean = total / len(values_N)
    if len(values_N) < 2:
        return mean, None
    return mean, float(np.std(values_N, ddof=1) / math.sqrt(len(values_N)))
