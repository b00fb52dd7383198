"""What evaluations require of a corpus, and questions about a model's latent variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from textvae.distributions import LatentDistribution
from textvae.models import TextModel
from textvae.types import Batch, Context, LatentGroup, LatentTerms

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, sentences done, sentences in all."""


@runtime_checkable
class Corpus(Protocol):
    """The members of `textvae.text.tokenized.TokenizedCorpus` that bounds and codes need."""

    @property
    def lengths(self) -> np.ndarray: ...

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray) -> Batch: ...


@runtime_checkable
class TextCorpus(Corpus, Protocol):
    """The members of `textvae.text.tokenized.TokenizedCorpus` that `evaluate` needs."""

    label_names: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def word_counts(self) -> np.ndarray: ...

    def text(self, i: int) -> str: ...

    def ids(self, i: int) -> np.ndarray: ...


def terms_of_one(model: TextModel, batch: Batch) -> LatentTerms:
    """The terms of the first sentence alone; they show which latent variables the model has."""
    return model.terms(batch.unlabelled().rows(slice(1)), 1)


def prior_for(model: TextModel, batch: Batch) -> LatentDistribution:
    """p(z) with labels hidden, or p(z|vector) where the prior is conditioned on vectors."""
    return model.prior_of(batch) if model.vector_size else model.prior_given()


def vector_group(model: TextModel, terms: LatentTerms) -> LatentGroup | None:
    """The latent variable of an ordinary VAE (one vector for each sentence, with a log-density, on which alone the
    decoder is conditioned), or None."""
    group = _sentence_vector(model, terms)
    if group is None or group.log_q_SU is None or len(group.posterior.batch_shape) != 1:
        return None
    return group


def is_implicit(model: TextModel, terms: LatentTerms) -> bool:
    """Whether the decoder is conditioned on one vector for each sentence alone, with a posterior without a density."""
    group = _sentence_vector(model, terms)
    return group is not None and group.log_q_SU is None


def _sentence_vector(model: TextModel, terms: LatentTerms) -> LatentGroup | None:
    """The latent vector of each sentence, if the decoder is conditioned on it alone."""
    if not model.config.single_code or len(terms.latents) != 1 or terms.latents[0].unit_B is not None:
        return None
    return terms.latents[0]


def likely_label(model: TextModel, batch: Batch) -> Context | None:
    """The likeliest label of each sentence, as the decoder's context; None where the decoder takes no label."""
    if not model.decodes_labels:
        return None
    return Context(label_B=model.label_log_prob(batch).argmax(-1))


def cpu64(x: Tensor) -> np.ndarray:
    """A tensor as a numpy array of float64."""
    return x.detach().double().cpu().numpy()
