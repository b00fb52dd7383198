"""The rate to the training sentences nearby, for models whose prior remembers them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.errors import ModelError
from textvae.evaluation.noise import SAMPLE_BLOCK, Stream, draw, own_randomness
from textvae.evaluation.protocol import Corpus, Progress, cpu64, unlabelled
from textvae.models import TextModel
from textvae.models.text_vae import closed_form_kl
from textvae.priors import MemoryPrior
from textvae.text.batching import sequential_batches


def has_memory(model: TextModel) -> bool:
    """Whether a model's prior remembers codes of training sentences, and there are some."""
    return model.memory is not None and bool(model.memory.filled_N.any())


def nearest_kl(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    *,
    batch_tokens: int = 16384,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> np.ndarray:
    """KL(q(z|x) || p(z|c)), averaged over the K stored codes c nearest to the sentence's own; float64 [N], nats.

    What training pays on the average, for sentences that are not of the training corpus: nobody is left out, so on
    training sentences it would be the rate to a sentence itself. Which codes are near was read from x, hence no bound
    on log p(x) follows from it alone; with log(N / K) nats for saying which, it is at least the KL to the mixture over
    the N codes.

    Args:
        model: a TextVAE whose prior remembers (`has_memory`).
        corpus: tokenized sentences.
        indices: which of them.
        batch_tokens: budget of a batch.
        seed: of samples, where a KL has no closed form; so many as a block of the likelihood's.
        device: where the model is.
        progress: called after every batch.
    """
    seed = checked_seed(seed)
    device, indices = torch.device(device), np.asarray(indices)
    lengths, memory = np.asarray(corpus.lengths)[indices], _memory_of(model)
    found, done = np.zeros(len(indices)), 0
    with own_randomness(model, device):
        for rows in sequential_batches(lengths, max(batch_tokens, int(lengths.max(initial=1)))):
            batch = unlabelled(corpus, indices[rows], device)
            posterior = model.posterior_of(batch)
            index_BK, count_B = memory.neighbors(model.code_of(batch))
            samples: tuple[Tensor, Tensor] | None = None
            total_B = torch.zeros(len(rows), dtype=torch.float64, device=device)
            for k in range(index_BK.shape[1]):
                prior = memory.conditional(memory.codes_ND[index_BK[:, k]])
                kl_B = closed_form_kl(posterior, prior)
                if kl_B is None:
                    if samples is None:
                        samples = draw(
                            posterior, indices[rows], seed, SAMPLE_BLOCK, stream=Stream.NEAREST, device=device
                        )
                    z_SBD, log_q_SB = samples
                    kl_B = (log_q_SB - prior.log_prob(z_SBD)).double().mean(0)
                total_B = total_B + torch.where(k < count_B, kl_B.double(), 0.0)
            found[rows] = cpu64(total_B / count_B)
            done += len(rows)
            if progress is not None:
                progress("nearest", done, len(indices))
    return found


def naming_cost(model: TextModel) -> float:
    """log(N / K): nats that say which of N codes is meant when any of K will do."""
    memory = _memory_of(model)
    stored = int(memory.filled_N.sum())
    return math.log(stored / min(memory.num_neighbors, stored))


def _memory_of(model: TextModel) -> MemoryPrior:
    if model.memory is None:
        raise ModelError("the prior of this model keeps no memory of codes; use one such as nearest_neighbors.")
    return model.memory
