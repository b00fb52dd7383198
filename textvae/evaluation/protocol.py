"""What an evaluation asks of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from textvae.models import to_device
from textvae.text.tokenized import TokenizedCorpus
from textvae.types import Batch, Context, LatentGroup, LatentTerms

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, sentences done, sentences in all."""


class Corpus(Protocol):
    """The part of `TokenizedCorpus` that an evaluation without texts reads."""

    @property
    def lengths(self) -> Any: ...

    def __len__(self) -> int: ...

    def batch(self, indices: Any) -> Batch: ...


def unlabelled(corpus: Corpus | TokenizedCorpus, indices: Any, device: torch.device) -> Batch:
    """Some sentences on a device, their labels hidden: every likelihood here is p(x), never p(x, y)."""
    batch = corpus.batch(indices)
    return to_device(Batch(batch.tokens_BT, batch.lengths_B, None, batch.example_id_B, batch.unit_B), device)


def probe(model: Any, batch: Batch) -> LatentTerms:
    """One sentence's terms, to see what latent variables a model has."""
    first = Batch(
        batch.tokens_BT[:1], batch.lengths_B[:1], None, None if batch.example_id_B is None else batch.example_id_B[:1]
    )
    return model.terms(first, 1)


def plain_group(terms: LatentTerms) -> LatentGroup | None:
    """The latent variable of an ordinary VAE (one vector a sentence, with a density), or None."""
    if len(terms.latents) != 1:
        return None
    group = terms.latents[0]
    plain = group.unit_B is None and not group.extended and group.log_q_SU is not None
    return group if plain and len(group.posterior.batch_shape) == 1 else None


def likely_label(model: Any, batch: Batch) -> Context | None:
    """The decoder's context: the likeliest label of each sentence, for a model that has labels."""
    if getattr(model.decoder, "num_labels", 0) == 0:
        return None
    return Context(label_B=model.label_log_prob(batch).argmax(-1))


def cpu64(x: Tensor) -> Any:
    """A tensor as a numpy array of float64."""
    return x.detach().double().cpu().numpy()
