"""Diversity, length and memorization of sentences sampled from the prior, beside those of the corpus."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch

from textvae.arguments import checked_seed
from textvae.evaluation.noise import own_randomness
from textvae.generation import Decoding, generate, word_generator
from textvae.models import TextModel
from textvae.types import UNK_ID, Context

_ROWS = 256


def prior_samples(model: TextModel, count: int, decoding: Decoding, *, seed: int = 0) -> list[list[int]]:
    """Ids of sentences decoded from draws of the prior (and of the prior of labels, where the model has labels)."""
    seed = checked_seed(seed)
    made: list[list[int]] = []
    with own_randomness(model):
        torch.manual_seed(seed)
        generator = word_generator(seed, model.device)
        for start in range(0, count, _ROWS):
            rows = min(_ROWS, count - start)
            if model.has_code:
                z_ND, _ = model.prior_given().rsample_and_log_prob((rows,))
            else:
                z_ND = torch.zeros(rows, 0, device=model.device)
            context = None
            if model.decodes_labels:
                context = Context(label_B=torch.multinomial(model.label_log_prior_C.exp(), rows, replacement=True))
            made += generate(model.decoder, z_ND, decoding, context=context, generator=generator).tokens
    return made


def distinct(sentences: Sequence[Sequence[int]], n: int) -> float:
    """Different n-grams / all n-grams (Li et al. 2016, arXiv 1510.03055). Falls with the number of sentences.

    >>> distinct([[5, 6, 5], [5, 6]], 1)
    0.4
    """
    grams = [tuple(ids[i : i + n]) for ids in sentences for i in range(len(ids) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def text_quality(
    samples: Sequence[Sequence[int]],
    originals: Sequence[Sequence[int]],
    *,
    allow_unk: bool,
    training: Collection[tuple[int, ...]] | None = None,
) -> dict[str, Any]:
    """Diversity and length of samples, and of as many corpus sentences for comparison.

    Args:
        samples: ids of sentences from the prior.
        originals: ids of as many sentences of the corpus.
        allow_unk: whether decoding could generate `<unk>`; only then is its share measured.
        training: a set of the training sentences' ids; the share of samples found in it is `sample_memorized`.
    """
    found: dict[str, Any] = {"quality_samples": len(samples)}
    for name, sentences in (("sample", samples), ("corpus", originals)):
        found[f"{name}_distinct_1"] = distinct(sentences, 1)
        found[f"{name}_distinct_2"] = distinct(sentences, 2)
        found[f"{name}_mean_length"] = sum(map(len, sentences)) / max(1, len(sentences))
    tokens = sum(map(len, samples))
    if allow_unk and tokens:
        found["sample_unk_share"] = sum(list(ids).count(UNK_ID) for ids in samples) / tokens
    if training is not None:
        found["sample_memorized"] = sum(tuple(ids) in training for ids in samples) / max(1, len(samples))
    return found
