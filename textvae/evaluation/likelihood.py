"""Bounds on log p(x) for each sentence: the ELBO and the importance-weighted bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_count, checked_seed
from textvae.config import MAX_SAMPLES
from textvae.evaluation.noise import Stream, draw, draw_codes, sample_blocks, sentence_seeds
from textvae.evaluation.protocol import Corpus, Progress, cpu64, is_implicit, prior_for, terms_of_one, vector_group
from textvae.evaluation.streaming import LogMeanExp, ladder
from textvae.evaluation.sweep import BATCH_TOKENS, Part, places, sweep
from textvae.models import TextModel
from textvae.models.text_vae import closed_form_kl, levels_of
from textvae.objectives import kl_by_level, log_importance_weights
from textvae.types import Batch, LatentTerms

SAMPLES_AT_ONCE = 16
"""About how many samples of a sentence share a decoder call. More samples mean fewer sentences in a call of the same
number of rows, and so less padding."""


@dataclass(frozen=True)
class Likelihood:
    """Bounds for every sentence, float64 [N], nats, in the order of the indices.

    Attributes:
        elbo_nll: minus the ELBO (the KL in closed form where there is one); None for a q without a density.
        iw_nll: minus the importance-weighted bound with `num_samples` samples; the exact NLL where `exact`; None for a
            q without a density.
        rec_nll: -E_q[log p(x|z)].
        kl: KL(q(z|x) || p(z)), summed over latent variables; None where log q(z|x) is unknown or is a density of more
            than z (an extended posterior).
        tokens: predicted tokens, EOS counted, BOS not.
        num_samples: k.
        exact: True for a model whose log p(x) is known (`ModelSettings.exact`), which then is no bound.
        curve: minus the bound with k samples, for several k, from the same samples: {k: [N]}.
        level_kl: for a hierarchical code, the KL of each level given the levels above; they sum to `kl`. The names are
            `kl_z_1` (the top level), `kl_z_2`, ...
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
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Likelihood:
    """Upper bounds on -log p(x) for each sentence.

    L_k = E log (1/k) sum_i p(x, z_i) / q(z_i|x), with z_i from q(z|x); L_1 is the ELBO, and L_k rises to log p(x)
    (Burda et al. 2016, arXiv 1509.00519). Each sentence is encoded once; a decoder call takes many sentences and
    samples. Labels are hidden: a semi-supervised model sums them out. With a prior conditioned on vectors the bounds
    are on -log p(x|vector), and the corpus' batches must contain the vectors.

    The samples of an ordinary VAE depend only on `seed` and the sentence's place in the corpus. Its results therefore
    change with `batch_tokens` or the choice of other sentences only by rounding. Models with several latent variables
    draw samples by batch; their results change within the standard error.

    Args:
        model: any model.
        corpus: tokenized sentences.
        indices: which of them; all when None.
        num_samples: k.
        batch_tokens: rows times tokens of a decoder call, at most (more only where one sentence has more).
        seed: of the samples.
        progress: called after every batch.
    """
    seed = checked_seed(seed)
    num_samples = checked_count(num_samples, "num_samples", 1, MAX_SAMPLES)
    indices = places(corpus, indices)
    bound = _Bound(model, num_samples, batch_tokens, seed)
    columns: dict[str, np.ndarray] = {}
    curves: dict[int, np.ndarray] = {}
    kinds: LatentTerms | None = None
    swept = sweep(
        model,
        corpus,
        indices,
        "likelihood",
        batch_tokens=batch_tokens,
        copies=min(num_samples, SAMPLES_AT_ONCE),
        progress=progress,
    )
    with swept as parts:
        for part in parts:
            if kinds is None:
                kinds = terms_of_one(model, part.batch)
            measured = bound.measure(part, kinds)
            for name, values in measured.values.items():
                columns.setdefault(name, np.zeros(len(indices)))[part.rows] = cpu64(values)
            for k, values in measured.curve.items():
                curves.setdefault(k, np.zeros(len(indices)))[part.rows] = cpu64(-values)
    used = 1 if model.config.exact else num_samples
    return Likelihood(
        elbo_nll=columns.get("elbo_nll"),
        iw_nll=curves.get(used),
        rec_nll=columns["rec_nll"],
        kl=columns.get("kl"),
        tokens=np.asarray(corpus.lengths)[indices].astype(np.int64) - 1,
        num_samples=used,
        exact=model.config.exact,
        curve=curves,
        level_kl={name: values for name, values in columns.items() if name.startswith("kl_")},
    )


@dataclass(frozen=True)
class _Measured:
    """Metrics of each sentence by name, and the bounds on log p(x) by their number of samples; float64 [B], nats."""

    values: dict[str, Tensor]
    curve: dict[int, Tensor]


@dataclass(frozen=True)
class _Bound:
    """Measures one batch, by the method that fits the model's latent variables."""

    model: TextModel
    num_samples: int
    batch_tokens: int
    seed: int

    def measure(self, part: Part, kinds: LatentTerms) -> _Measured:
        """The metrics of each sentence.

        Args:
            part: the sentences.
            kinds: terms of any sentence; they show which latent variables the model has.
        """
        if self.model.config.exact:
            return self._exact(part)
        if is_implicit(self.model, kinds):
            return self._implicit(part)
        if vector_group(self.model, kinds) is not None:
            return self._plain(part)
        return self._general(part, labels=len(kinds.log_px_z_SB))

    def _at_once(self, batch: Batch) -> int:
        """Samples of each sentence that go through the decoder together."""
        return max(1, self.batch_tokens // batch.tokens_BT.numel())

    def _streams(self) -> dict[int, LogMeanExp]:
        return {k: LogMeanExp(k) for k in ladder(self.num_samples)}

    def _exact(self, part: Part) -> _Measured:
        """No latent variable: log p(x) itself."""
        log_px_B = self.model.terms(part.batch, 1).log_px_z_SB[0].double()
        values = {"elbo_nll": -log_px_B, "rec_nll": -log_px_B, "kl": torch.zeros_like(log_px_B)}
        return _Measured(values, {1: log_px_B})

    def _plain(self, part: Part) -> _Measured:
        """One latent vector for each sentence: the encoder runs once, then only the decoder."""
        batch, device, at_once = part.batch, self.model.device, self._at_once(part.batch)
        posterior, prior = self.model.posterior_of(batch), prior_for(self.model, batch)
        streams = self._streams()
        kl_B, kl_BD = closed_form_kl(posterior, prior), None
        log_px_B = log_ratio_B = torch.zeros(len(batch), dtype=torch.float64, device=device)
        for block, count in sample_blocks(self.num_samples):
            z_SBD, log_q_SB = draw(
                posterior, part.example_ids, self.seed, count, stream=Stream.LIKELIHOOD + block, device=device
            )
            log_ratio_SB = (prior.log_prob(z_SBD) - log_q_SB).double()
            for first in range(0, len(z_SBD), at_once):
                chunk = slice(first, first + at_once)
                log_px_SB = self.model.decoder.log_prob(batch.tokens_BT, z_SBD[chunk]).double()
                log_px_B = log_px_B + log_px_SB.sum(0)
                for stream in streams.values():
                    stream.update(log_px_SB + log_ratio_SB[chunk])
            log_ratio_B = log_ratio_B + log_ratio_SB.sum(0)
            given_SBD = posterior.kl_per_dim_given(prior, z_SBD) if kl_B is None else None
            if given_SBD is not None:
                given_BD = given_SBD.double().sum(0) / self.num_samples
                kl_BD = given_BD if kl_BD is None else kl_BD + given_BD
        if kl_BD is not None:
            kl_B = kl_BD.sum(-1)
        kl_B = -log_ratio_B / self.num_samples if kl_B is None else kl_B.double()
        rec_nll_B = -log_px_B / self.num_samples
        values = {"elbo_nll": rec_nll_B + kl_B, "rec_nll": rec_nll_B}
        if not posterior.extended:
            values |= {"kl": kl_B, **kl_by_level("z", levels_of(posterior, prior), kl_BD)}
        return _Measured(values, {k: stream.value() for k, stream in streams.items()})

    def _implicit(self, part: Part) -> _Measured:
        """One latent vector for each sentence and a q without a density: no bound, only the reconstruction NLL."""
        batch, device = part.batch, self.model.device
        posterior = self.model.posterior_of(batch)
        log_px_B = torch.zeros(len(batch), dtype=torch.float64, device=device)
        for block, count in sample_blocks(self.num_samples):
            z_SBD = draw_codes(
                posterior, part.example_ids, self.seed, count, stream=Stream.LIKELIHOOD + block, device=device
            )
            for chunk_SBD in z_SBD.split(self._at_once(batch)):
                log_px_B = log_px_B + self.model.decoder.log_prob(batch.tokens_BT, chunk_SBD).double().sum(0)
        return _Measured({"rec_nll": -log_px_B / self.num_samples}, {})

    def _general(self, part: Part, labels: int) -> _Measured:
        """Any other latent variables; each call of `model.terms` draws a chunk of samples."""
        streams = self._streams()
        sums: dict[str, Tensor] = {}
        # Each sample is decoded once for every enumerated label, so fewer samples fit into a call.
        at_once = max(1, self._at_once(part.batch) // labels)
        for first in range(0, self.num_samples, at_once):
            count = min(at_once, self.num_samples - first)
            seeds = sentence_seeds(self.seed, part.example_ids[:1], stream=Stream.LIKELIHOOD + first)
            torch.manual_seed(int(seeds[0]))
            terms = self.model.terms(part.batch, count)
            for name, value_B in _averages(terms).items():
                sums[name] = sums.get(name, torch.zeros_like(value_B)) + count * value_B
            log_w_SB = log_weights_by_sample(terms, count)
            if log_w_SB is not None:
                for stream in streams.values():
                    stream.update(log_w_SB)
        values = {name: total / self.num_samples for name, total in sums.items()}
        if "elbo" in values:
            values["elbo_nll"] = -values.pop("elbo")
            return _Measured(values, {k: stream.value() for k, stream in streams.items()})
        return _Measured(values, {})


def log_weights_by_sample(terms: LatentTerms, num_samples: int) -> Tensor | None:
    """log p(x, z) - log q(z|x) of each sample, float64 [num_samples, B]; enumerated labels are summed out.

    Rows of the terms are ordered by sample, then label: row i * C + c is sample i with label c. None where a latent
    variable has no density.
    """
    if any(group.log_q_SU is None for group in terms.latents):
        return None
    log_w_SB = log_importance_weights(replace(terms, log_px_z_SB=terms.log_px_z_SB.double()))
    weighted = (log_w_SB + terms.log_weight_SB.double() + math.log(num_samples)).unflatten(0, (num_samples, -1))
    return weighted.logsumexp(1)


def _averages(terms: LatentTerms) -> dict[str, Tensor]:
    """Means over one call's samples, [B]: `rec_nll`; `elbo` if q has a density; `kl` if no group is extended."""
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
    # Where a label's probability is 0 its value may be infinite, and 0 times infinity would be NaN.
    return torch.where(weight_SB > 0, weight_SB * value_SB.double(), 0.0).sum(0)


def mean_and_error(values_N: np.ndarray) -> tuple[float, float | None]:
    """The mean over sentences and its standard error; the error of a single sentence is None."""
    total = float(np.sum(values_N, dtype=np.float64))
    mean = total / len(values_N)
    if len(values_N) < 2:
        return mean, None
    return mean, float(np.std(values_N, ddof=1) / math.sqrt(len(values_N)))
