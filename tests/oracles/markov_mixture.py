"""O2: a text model so small that every sum can be written out.

A sentence has exactly 3 of 4 symbols (ids 4 .. 7), then EOS: 64 sentences. The latent variable says which of
three first-order Markov chains wrote it, as a one-hot vector. `MarkovMixtureDecoder` speaks the decoder's
contract and `MarkovMixtureModel` the model's; beside them stand the exact answers by enumeration.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions.kl import register_kl

from tests.oracles.oracle_model import OracleModel
from textvae.decoders import Decoder
from textvae.distributions import LatentDistribution
from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Batch, Context, LatentGroup, LatentTerms

CHAINS, SYMBOLS, LENGTH = 3, 4, 3
FIRST_SYMBOL = UNK_ID + 1
VOCAB_SIZE = FIRST_SYMBOL + SYMBOLS

WEIGHT_K = (0.5, 0.3, 0.2)
INITIAL_KV = ((0.70, 0.10, 0.10, 0.10), (0.05, 0.15, 0.20, 0.60), (0.20, 0.30, 0.40, 0.10))
TRANSITION_KVV = (
    ((0.05, 0.75, 0.10, 0.10), (0.05, 0.05, 0.80, 0.10), (0.10, 0.10, 0.10, 0.70), (0.60, 0.20, 0.10, 0.10)),
    ((0.65, 0.15, 0.10, 0.10), (0.10, 0.60, 0.20, 0.10), (0.15, 0.10, 0.70, 0.05), (0.05, 0.05, 0.10, 0.80)),
    ((0.10, 0.15, 0.25, 0.50), (0.70, 0.10, 0.10, 0.10), (0.20, 0.65, 0.05, 0.10), (0.25, 0.20, 0.50, 0.05)),
)

SENTENCES = tuple(itertools.product(range(FIRST_SYMBOL, VOCAB_SIZE), repeat=LENGTH))
"""All 64, as tuples of ids without BOS and EOS; a sentence's number is its place here."""


class OneHotCategorical(LatentDistribution):
    """A choice among K, as one-hot vectors: a latent distribution whose KL and entropy are finite sums.

    Samples carry no gradient. `mean` are the probabilities, `mode` is the likeliest one-hot vector.

    Args:
        probs: [..., K], summing to one.
    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, probs: Tensor) -> None:
        self.probs = probs
        super().__init__(probs.shape[:-1], probs.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return _one_hot(self.probs.argmax(-1), self.probs)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        chosen = torch.distributions.Categorical(probs=self.probs).sample(torch.Size(sample_shape))
        return _one_hot(chosen, self.probs)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.probs).sum(-1).log()

    def entropy(self) -> Tensor:
        return torch.special.entr(self.probs).sum(-1)

    def detached(self) -> OneHotCategorical:
        return OneHotCategorical(self.probs.detach())

    def rows(self, index: Any) -> OneHotCategorical:
        return OneHotCategorical(self.probs[index])


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_one_hot(q: OneHotCategorical, p: OneHotCategorical) -> Tensor:
    return (torch.special.xlogy(q.probs, q.probs) - torch.special.xlogy(q.probs, p.probs)).sum(-1)


def _one_hot(index: Tensor, like: Tensor) -> Tensor:
    return nn.functional.one_hot(index, like.shape[-1]).to(like.dtype)


class ChainState(NamedTuple):
    """Which chain writes each row, and how many tokens were read."""

    z_ND: Tensor
    tokens_read: int


class MarkovMixtureDecoder(Decoder):
    """p(x|z): the chain that z points at writes three symbols, and EOS follows for certain.

    Latent vectors that are no one-hot mix the chains' next-symbol probabilities. `<unk>` has probability zero;
    read as an input it says nothing: the next symbol is then as likely as after an average symbol.
    """

    latent_dim = CHAINS
    num_labels = 0
    max_tokens: int | None = LENGTH + 1

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        # next_KPUV[k, p, u]: after p read tokens (BOS counted) of which the last is u.
        next_KPUV = torch.zeros(CHAINS, LENGTH + 1, VOCAB_SIZE, VOCAB_SIZE, dtype=torch.float64)
        symbols = slice(FIRST_SYMBOL, VOCAB_SIZE)
        transition = torch.tensor(TRANSITION_KVV, dtype=torch.float64)
        next_KPUV[:, 0, :, symbols] = torch.tensor(INITIAL_KV, dtype=torch.float64).unsqueeze(1)
        next_KPUV[:, 1:LENGTH, :, symbols] = transition.mean(1)[:, None, None, :]
        next_KPUV[:, 1:LENGTH, symbols, symbols] = transition.unsqueeze(1)
        next_KPUV[:, LENGTH, :, EOS_ID] = 1.0
        self.next_KPUV = nn.Parameter(next_KPUV.to(dtype), requires_grad=False)

    def _next(self, token_N: Tensor, tokens_read: int, z_ND: Tensor) -> Tensor:
        """log p of the token after `token_N`, which was the last of `tokens_read`; [N, V]."""
        place = min(tokens_read - 1, LENGTH)
        by_chain_KNV = self.next_KPUV[:, place, token_N]
        return torch.einsum("nk,knv->nv", z_ND.to(by_chain_KNV.dtype), by_chain_KNV).log()

    def token_log_prob(self, tokens_BT: Tensor, z_SBD: Tensor, context: Context | None = None) -> Tensor:
        samples, sentences, _ = z_SBD.shape
        tokens_NT, z_ND = tokens_BT.repeat(samples, 1), z_SBD.reshape(samples * sentences, -1)
        scores = []
        for position in range(tokens_BT.shape[1] - 1):
            target_N = tokens_NT[:, position + 1]
            log_prob_NV = self._next(tokens_NT[:, position], position + 1, z_ND)
            score_N = log_prob_NV.gather(1, target_N.unsqueeze(1)).squeeze(1)
            scores.append(torch.where(target_N == PAD_ID, 0.0, score_N))
        return torch.stack(scores, -1).unflatten(0, (samples, sentences))

    def init_state(self, z_ND: Tensor, context: Context | None = None) -> ChainState:
        return ChainState(z_ND, 0)

    def step(self, token_N: Tensor, state: ChainState) -> tuple[Tensor, ChainState]:
        read = state.tokens_read + 1
        return self._next(token_N, read, state.z_ND), ChainState(state.z_ND, read)

    def select(self, state: ChainState, index_M: Tensor) -> ChainState:
        return ChainState(state.z_ND[index_M], state.tokens_read)


class MarkovMixtureModel(OracleModel):
    """The mixture behind the contract of a model.

    Args:
        approximate: changes the exact p(z|x), [B, K] -> [B, K], into the q(z|x) the model uses; exact when None.
            `wrong` is one.
    """

    def __init__(self, approximate: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__(VOCAB_SIZE, LENGTH)
        self.decoder = MarkovMixtureDecoder()
        self.approximate = approximate

    @property
    def device(self) -> torch.device:
        return self.decoder.next_KPUV.device

    @property
    def num_parameters(self) -> int:
        return len(WEIGHT_K) + CHAINS * SYMBOLS * (SYMBOLS + 1)

    def prior(self, context: Context | None = None) -> OneHotCategorical:
        return OneHotCategorical(torch.tensor(WEIGHT_K, dtype=torch.float64, device=self.device))

    def posterior_of(self, batch: Batch) -> OneHotCategorical:
        """q(z|x); `<unk>` in a sentence counts as unseen and is summed out."""
        posterior_BK = exact_posterior(batch.tokens_BT)
        return OneHotCategorical(posterior_BK if self.approximate is None else self.approximate(posterior_BK))

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        posterior, prior = self.posterior_of(batch), self.prior()
        z_SBD, log_q_SB = posterior.rsample_and_log_prob((num_samples,))
        group = LatentGroup(
            name="z",
            posterior=posterior,
            prior=prior,
            z_SUD=z_SBD,
            log_q_SU=log_q_SB,
            log_p_SU=prior.log_prob(z_SBD),
            kl_U=torch.distributions.kl_divergence(posterior, prior),
        )
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD)
        log_weight_SB = torch.full_like(log_px_z_SB, -math.log(num_samples))
        return LatentTerms(log_px_z_SB, log_weight_SB, batch.lengths_B - 1, (group,))


def wrong(posterior_BK: Tensor) -> Tensor:
    """A q(z|x) that leans the right way but is not p(z|x): every bound from it is strict."""
    leaning = posterior_BK.sqrt() + 0.1 * posterior_BK.roll(1, -1) + 0.05
    return leaning / leaning.sum(-1, keepdim=True)


def uninformed(posterior_BK: Tensor) -> Tensor:
    """q(z|x) = p(z): a collapsed posterior."""
    return torch.tensor(WEIGHT_K, dtype=posterior_BK.dtype).expand_as(posterior_BK)


# --- sentences ---------------------------------------------------------------------------------------------


def batch_of(sentences: Sequence[Sequence[int]] = SENTENCES) -> Batch:
    """Sentences of three ids (symbols or `<unk>`) as a batch; all 64 by default."""
    rows = torch.tensor([list(sentence) for sentence in sentences], dtype=torch.int64)
    edge = torch.ones(len(rows), 1, dtype=torch.int64)
    tokens_BT = torch.cat([edge * BOS_ID, rows, edge * EOS_ID], 1)
    lengths_B = torch.full((len(rows),), LENGTH + 2)
    return Batch(tokens_BT, lengths_B, None, torch.arange(len(rows)))


def sample_sentences(count: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Sentences drawn from the mixture."""
    p_N = exact_log_p().exp().numpy()
    chosen = np.random.default_rng(seed).choice(len(SENTENCES), size=count, p=p_N / p_N.sum())
    return [SENTENCES[i] for i in chosen]


# --- exact answers, by enumeration -------------------------------------------------------------------------


def _log_joint(tokens_BT: Tensor) -> Tensor:
    """log p(z) + log p(observed symbols | z), [B, K]; `<unk>` is summed out by the forward recursion."""
    symbols_BT = tokens_BT[:, 1 : LENGTH + 1]
    initial = torch.tensor(INITIAL_KV, dtype=torch.float64)
    transition = torch.tensor(TRANSITION_KVV, dtype=torch.float64)
    forward_BKV = torch.tensor(WEIGHT_K, dtype=torch.float64)[:, None] * initial
    forward_BKV = forward_BKV.expand(len(tokens_BT), -1, -1)
    for position in range(LENGTH):
        if position:
            forward_BKV = torch.einsum("bku,kuv->bkv", forward_BKV, transition)
        observed_B = symbols_BT[:, position]
        fits_BV = observed_B.unsqueeze(1) == torch.arange(FIRST_SYMBOL, VOCAB_SIZE)
        fits_BV = fits_BV | (observed_B == UNK_ID).unsqueeze(1)
        forward_BKV = forward_BKV * fits_BV.unsqueeze(1)
    return forward_BKV.sum(-1).log()


def exact_log_p(tokens_BT: Tensor | None = None) -> Tensor:
    """log p(x), nats, [B]; of all 64 sentences by default."""
    return _log_joint(batch_of().tokens_BT if tokens_BT is None else tokens_BT).logsumexp(-1)


def exact_posterior(tokens_BT: Tensor | None = None) -> Tensor:
    """p(z|x), [B, K]; of all 64 sentences by default."""
    return _log_joint(batch_of().tokens_BT if tokens_BT is None else tokens_BT).softmax(-1)


def exact_kl(q_BK: Tensor, p_B: Tensor | None = None) -> float:
    """mean_x KL(q(z|x) || p(z)) over sentences with probabilities `p_B` (uniform when None)."""
    prior = torch.tensor(WEIGHT_K, dtype=torch.float64)
    kl_B = (torch.special.xlogy(q_BK, q_BK) - torch.special.xlogy(q_BK, prior)).sum(-1)
    return float((kl_B * _weights(q_BK, p_B)).sum())


def exact_mi(q_BK: Tensor, p_B: Tensor | None = None) -> float:
    """I(x; z) under p(x) q(z|x): the mean KL from q(z|x) to the aggregated posterior."""
    aggregated_K = (q_BK * _weights(q_BK, p_B).unsqueeze(1)).sum(0)
    kl_B = (torch.special.xlogy(q_BK, q_BK) - torch.special.xlogy(q_BK, aggregated_K)).sum(-1)
    return float((kl_B * _weights(q_BK, p_B)).sum())


def exact_marginal_kl(q_BK: Tensor, p_B: Tensor | None = None) -> float:
    """KL(q(z) || p(z)) of the aggregated posterior q(z)."""
    aggregated_K = (q_BK * _weights(q_BK, p_B).unsqueeze(1)).sum(0)
    prior = torch.tensor(WEIGHT_K, dtype=torch.float64)
    return float((torch.special.xlogy(aggregated_K, aggregated_K) - torch.special.xlogy(aggregated_K, prior)).sum())


def exact_elbo(q_BK: Tensor, tokens_BT: Tensor) -> Tensor:
    """E_q[log p(x, z) - log q(z|x)], [B], for any q [B, K]."""
    return (q_BK * _log_joint(tokens_BT) - torch.special.xlogy(q_BK, q_BK)).sum(-1)


def exact_imputations(sentence: Sequence[int | None]) -> list[tuple[tuple[int, ...], float]]:
    """Every completion of a sentence with blanks (None), with p(blanks | the rest), likeliest first."""
    log_p_N = exact_log_p()
    fits = [
        (number, whole)
        for number, whole in enumerate(SENTENCES)
        if all(given is None or given == symbol for given, symbol in zip(sentence, whole, strict=True))
    ]
    log_p = torch.stack([log_p_N[number] for number, _ in fits])
    probability = (log_p - log_p.logsumexp(0)).exp().tolist()
    ranked = sorted(zip((whole for _, whole in fits), probability, strict=True), key=lambda pair: -pair[1])
    return [(whole, float(p)) for whole, p in ranked]


def exact_blank_joint(sentence: Sequence[int | None]) -> list[tuple[tuple[int, ...], int, float]]:
    """Every completion with every chain, and log p(x, z), likeliest first: what conditional modes climb."""
    fits = [whole for whole, _ in exact_imputations(sentence)]
    log_joint_BK = _log_joint(batch_of(fits).tokens_BT)
    table = [(whole, k, float(log_joint_BK[row, k])) for row, whole in enumerate(fits) for k in range(CHAINS)]
    return sorted(table, key=lambda entry: -entry[2])


def _weights(q_BK: Tensor, p_B: Tensor | None) -> Tensor:
    return torch.full((len(q_BK),), 1 / len(q_BK), dtype=torch.float64) if p_B is None else p_B
