"""Checks and counts of the corpora of a training."""

from __future__ import annotations

import numpy as np

from textvae.errors import ConfigError, DataError
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.config import TrainConfig


def require_corpora(config: TrainConfig, train_corpus: TokenizedCorpus, valid_corpus: TokenizedCorpus) -> None:
    """Refuse corpora that training cannot use.

    Raises:
        DataError: a corpus is empty.
        ConfigError: the settings need a label for every training sentence, and some have none.
    """
    for name, corpus in (("training", train_corpus), ("validation", valid_corpus)):
        if len(corpus) == 0:
            raise DataError(f"the {name} corpus has no sentences; expected at least one.")
    _require_known_labels(config, train_corpus)


def _require_known_labels(config: TrainConfig, corpus: TokenizedCorpus) -> None:
    """Refuse unlabelled sentences with free bits by dimension: the KL to a mixture over labels has no dimensions."""
    free_bits, prior = config.objective.kl_allowance, config.model.prior_settings
    if free_bits is None or not free_bits.by_dimension or prior is None or not prior.label_count:
        return
    unknown = int((np.asarray(corpus.labels) < 0).sum())
    if unknown:
        raise ConfigError(
            f"free bits of kind '{free_bits.kind}' need the KL of each dimension, and {unknown} of {len(corpus)} "
            f"training sentences have no label; for these a {prior.kind} prior is a mixture over labels, whose KL "
            "has no dimensions; set train.objective.free_bits.kind = 'rate' or 'target', or leave these sentences out."
        )


def label_counts(corpus: TokenizedCorpus, classes: int) -> np.ndarray:
    """Number of sentences with each label, [C]."""
    labels = np.asarray(corpus.labels)
    return np.bincount(labels[labels >= 0], minlength=classes)


def longest_sentence(*corpora: TokenizedCorpus) -> int:
    """Tokens of the longest sentence of all corpora, BOS and EOS not counted."""
    return max(int(corpus.lengths.max()) for corpus in corpora) - 2
