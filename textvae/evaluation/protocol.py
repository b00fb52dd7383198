"""What an evaluation asks of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from textvae.distributions import LatentDistribution
from textvae.models import TextModel
from textvae.types import Batch, Context, LatentGroup, LatentTerms

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, sentences done, sentences in all."""


@runtime_checkable
class Corpus(Protocol):
    """The part of `textvae.text.tokenized.TokenizedCorpus` that bounds and codes need."""

    @property
    def lengths(self) -> Any: ...

    def __len__(self) -> int: ...

    def batch(self, indices: Any) -> Batch: ...


@runtime_checkable
class TextCorpus(Corpus, Protocol):
    """The part of it that a whole evaluation needs."""

    label_names: tuple[str, ...]

    @property
    def labels(self) -> Any: ...

    @property
    def word_counts(self) -> Any: ...

    def text(self, i: int) -> str: ...

    def ids(self, i: int) -> Any: ...


def unlabelled(corpus: Corpus, indices: Any, device: torch.device) -> Batch:
    """Some sentences on a device, their labels hidden: every likelihood here is p(x), never p(x, y)."""
    return corpus.batch(indices).unlabelled().to(device)


def probe(model: TextModel, batch: Batch) -> LatentTerms:
    """One sentence's terms, to see what latent variables a model has."""
    return model.terms(batch.unlabelled().rows(slice(1)), 1)


def prior_for(model: TextModel, batch: Batch) -> LatentDistribution:
    """p(z) of sentences whose labels are hidden, or p(z|vector) of a prior that is conditioned on vectors."""
    return model.prior_of(batch) if model.vector_size else model.prior_given()


def vector_group(terms: LatentTerms) -> LatentGroup | None:
    """The latent variable of an ordinary VAE (one vector a sentence, with importance weights), or None."""
    if len(terms.latents) != 1:
        return None
    group = terms.latents[0]
    plain = group.unit_B is None and group.log_q_SU is not None
    return group if plain and len(group.posterior.batch_shape) == 1 else None


def is_implicit(terms: LatentTerms) -> bool:
    """Whether the one latent variable is a vector a sentence whose posterior has no density."""
    return len(terms.latents) == 1 and terms.latents[0].log_q_SU is None and terms.latents[0].unit_B is None


def likely_label(model: TextModel, batch: Batch) -> Context | None:
    """The decoder's context: the likeliest label of each sentence, for a model that has labels."""
    if not model.decodes_labels:
        return None
    return Context(label_B=model.label_log_prob(batch).argmax(-1))


def cpu64(x: Tensor) -> Any:
    """A tensor as a numpy array of float64."""
    return x.detach().double().cpu().numpy()
