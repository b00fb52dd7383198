"""What the linear layer of a classifier reads: the encoder's features on a common scale, and the TF-IDF of n-grams."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from textvae.evaluation.protocol import Corpus
from textvae.evaluation.sweep import sweep
from textvae.layers import NgramBag
from textvae.models import SemiSupervisedTextVAE

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_SCALED = 2000
"""Sentences by which features are standardized, at most."""
_LEAST = 1e-6
"""Is added to standard deviations."""
_AT_ONCE = 1024
"""Sentences whose n-grams are listed at a time."""


@dataclass(frozen=True)
class Scale:
    """How features are standardized: (feature - mean_H) / scale_H has mean 0 and squares of 1 / H."""

    mean_H: Float[np.ndarray, " H"]
    scale_H: Float[np.ndarray, " H"]

    @classmethod
    def of(cls, feature_NH: Float[np.ndarray, "N H"]) -> Scale:
        """The scale by which these are standardized."""
        return cls(feature_NH.mean(0), (feature_NH.std(0) + _LEAST) * math.sqrt(feature_NH.shape[1]))

    def __call__(self, feature_NH: Float[np.ndarray, "N H"]) -> Float[np.ndarray, "N H"]:
        return (feature_NH - self.mean_H) / self.scale_H


def scale_of(model: SemiSupervisedTextVAE, corpus: Corpus, *, seed: int) -> Scale:
    """The scale of the encoder's features over a corpus, from at most 2000 of its sentences."""
    some = np.sort(np.random.default_rng([seed, 4]).permutation(len(corpus))[:_SCALED])
    return Scale.of(features(model, corpus, some))


def features(model: SemiSupervisedTextVAE, corpus: Corpus, rows: np.ndarray) -> np.ndarray:
    """What the encoder gives for some sentences, float32 [N, H] in the order of the rows."""
    found_NH: np.ndarray | None = None
    with sweep(model, corpus, np.asarray(rows), "features") as parts:
        for part in parts:
            feature_BH = model.encoder(part.batch.tokens_BT, part.batch.lengths_B).float().cpu().numpy()
            if found_NH is None:
                found_NH = np.zeros((len(rows), feature_BH.shape[1]), dtype=np.float32)
            found_NH[part.rows] = feature_BH
    assert found_NH is not None
    return found_NH


def tfidf(bag: NgramBag, corpus: Corpus, rows: np.ndarray) -> csr_matrix:
    """The TF-IDF of the n-grams of some sentences, a sparse matrix [N, M] without explicit zeros."""
    from scipy.sparse import csr_matrix, vstack

    def part(some: np.ndarray) -> csr_matrix:
        batch = corpus.batch(some).to(bag.idf_M.device)
        ids_BN, share_BN = (x.cpu().numpy() for x in bag.shares(batch.tokens_BT))
        places = np.repeat(np.arange(len(some)), ids_BN.shape[1])
        found = csr_matrix((share_BN.ravel(), (places, ids_BN.ravel())), shape=(len(some), bag.places))
        found.eliminate_zeros()
        return found

    starts = range(0, max(1, len(rows)), _AT_ONCE)
    return vstack([part(np.asarray(rows)[start : start + _AT_ONCE]) for start in starts]).tocsr()
