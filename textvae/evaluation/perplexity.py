"""Perplexities, each with the number of tokens it divides by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def perplexities(
    iw_nll_N: np.ndarray | None,
    elbo_nll_N: np.ndarray | None,
    tokens_N: np.ndarray,
    *,
    splits_words: bool = False,
    words_N: np.ndarray | None = None,
    characters_N: np.ndarray | None = None,
) -> dict[str, Any]:
    """exp(total NLL / total tokens), never a mean of batch means.

    `ppl` comes from the importance-weighted bound (exact for a language model), `elbo_ppl` from the ELBO. EOS is
    counted as a token, BOS is not. The `ppl` of a sub-word model is per piece and cannot be compared between
    tokenizers; its `ppl_word` divides by white-space words plus one EOS for each sentence. Text without spaces has no
    words; it gets `nll_per_char` (nats per character) instead.

    Args:
        iw_nll_N: nats of each sentence.
        elbo_nll_N: nats of each sentence.
        tokens_N: predicted tokens of each.
        splits_words: whether a word may be several tokens; only then are `ppl_word` and `nll_per_char` given.
        words_N: white-space words of each.
        characters_N: characters of each.

    >>> perplexities(np.array([2.0, 4.0]), None, np.array([1, 5]))["tokens"]
    6
    """
    tokens = int(tokens_N.sum())
    found: dict[str, Any] = {"tokens": tokens}
    if iw_nll_N is not None:
        total = float(iw_nll_N.sum())
        found["ppl"] = _exp(total / tokens)
        if words_N is not None and splits_words:
            if has_spaces(words_N, characters_N):
                found["ppl_word"] = _exp(total / int(words_N.sum() + len(words_N)))
            elif characters_N is not None:
                found["nll_per_char"] = total / int(characters_N.sum())
    if elbo_nll_N is not None:
        found["elbo_ppl"] = _exp(float(elbo_nll_N.sum()) / tokens)
    return found


def has_spaces(words_N: np.ndarray, characters_N: np.ndarray | None) -> bool:
    """Whether words are separated by spaces: False where the mean word has 25 characters or more."""
    return characters_N is None or int(characters_N.sum()) < 25 * int(words_N.sum())


def _exp(nats: float) -> float:
    # Above about 709 nats the exponential overflows, which must not end a run with an error.
    return math.exp(min(nats, 700.0))
