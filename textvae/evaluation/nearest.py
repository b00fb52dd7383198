"""The KL to the prior given the nearest training sentences, for models whose prior stores the codes of these."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.errors import ModelError
from textvae.evaluation.noise import SAMPLE_BLOCK, Stream, draw
from textvae.evaluation.protocol import Corpus, Progress, cpu64
from textvae.evaluation.sweep import BATCH_TOKENS, Part, sweep
from textvae.models import TextModel
from textvae.models.text_vae import closed_form_kl
from textvae.priors import MemoryPrior


def has_memory(model: TextModel) -> bool:
    """Whether a model's prior stores codes of training sentences, and the store is not empty."""
    return model.memory is not None and bool(model.memory.filled_N.any())


def nearest_kl(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    *,
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """KL(q(z|x) || p(z|c)), averaged over the K stored codes c nearest to the sentence's code; float64 [N], nats.

    This is the rate of training, measured on held-out sentences: the nearest code of a training sentence would be
    that of the sentence itself. Alone it gives no bound on log p(x), because the neighbors are chosen by x. With
    log(N / K) nats added for the choice, it is at least the KL to the mixture over the N codes.

    Args:
        model: a TextVAE whose prior stores codes (`has_memory`).
        corpus: tokenized sentences.
        indices: which of them.
        batch_tokens: budget of a batch.
        seed: of samples, where a KL has no closed form: `SAMPLE_BLOCK` for each sentence.
        progress: called after every batch.
    """
    seed, indices = checked_seed(seed), np.asarray(indices)
    memory, found = _memory_of(model), np.zeros(len(indices))
    with sweep(model, corpus, indices, "nearest", batch_tokens=batch_tokens, progress=progress) as parts:
        for part in parts:
            found[part.rows] = cpu64(_mean_kl(model, memory, part, seed))
    return found


def _mean_kl(model: TextModel, memory: MemoryPrior, part: Part, seed: int) -> Tensor:
    """The mean over neighbors for each sentence, float64 [B]."""
    posterior = model.posterior_of(part.batch)
    index_BK, count_B = memory.neighbors(model.code_of(part.batch))
    samples: tuple[Tensor, Tensor] | None = None
    total_B = torch.zeros(len(part.rows), dtype=torch.float64, device=model.device)
    for k in range(index_BK.shape[1]):
        prior = memory.conditional(memory.codes_ND[index_BK[:, k]])
        kl_B = closed_form_kl(posterior, prior)
        if kl_B is None:
            if samples is None:
                samples = draw(
                    posterior, part.example_ids, seed, SAMPLE_BLOCK, stream=Stream.NEAREST, device=model.device
                )
            z_SBD, log_q_SB = samples
            kl_B = (log_q_SB - prior.log_prob(z_SBD)).double().mean(0)
        # A sentence may have fewer neighbors than others in its batch.
        total_B = total_B + torch.where(k < count_B, kl_B.double(), 0.0)
    return total_B / count_B


def naming_cost(model: TextModel) -> float:
    """log(N / K), nats: the cost of choosing one of N stored codes when any of K neighbors serves."""
    memory = _memory_of(model)
    stored = int(memory.filled_N.sum())
    return math.log(stored / min(memory.num_neighbors, stored))


def _memory_of(model: TextModel) -> MemoryPrior:
    if model.memory is None:
        raise ModelError("the prior of this model stores no codes; use a model with a prior such as nearest_neighbors.")
    return model.memory
