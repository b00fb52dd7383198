"""What a training asks of its corpora."""

from __future__ import annotations

import numpy as np

from textvae.errors import ConfigError, DataError
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.config import TrainConfig


def require_corpora(config: TrainConfig, train_corpus: TokenizedCorpus, valid_corpus: TokenizedCorpus) -> None:
    """Refuse corpora that a training cannot use.

    Raises:
        DataError: one is empty.
        ConfigError: the settings need a label of every training sentence, and some have none.
    """
    for name, corpus in (("training", train_corpus), ("validation", valid_corpus)):
        if len(corpus) == 0:
            raise DataError(f"the {name} corpus has no sentences; expected at least one.")
    _require_known_labels(config, train_corpus)


def _require_known_labels(config: TrainConfig, corpus: TokenizedCorpus) -> None:
    """Free bits by dimension need a KL by dimension in every batch, and the mixture over labels has none."""
    free_bits, prior = config.objective.kl_allowance, config.model.prior_settings
    if free_bits is None or not free_bits.by_dimension or prior is None or not prior.label_count:
        return
    unknown = int((np.asarray(corpus.labels) < 0).sum())
    if unknown:
        raise ConfigError(
            f"free bits of kind '{free_bits.kind}' need the KL of each dimension, and {unknown} of {len(corpus)} "
            f"training sentences have no label, for which a {prior.kind} prior is a mixture; "
            "set train.objective.free_bits.kind = 'rate' or 'target', or leave these sentences out."
        )


def label_counts(corpus: TokenizedCorpus, classes: int) -> np.ndarray:
    """How many sentences show each label, [C]."""
    labels = np.asarray(corpus.labels)
    return np.bincount(labels[labels >= 0], minlength=classes)


def longest_sentence(*corpora: TokenizedCorpus) -> int:
    """Tokens of the longest sentence of all corpora, BOS and EOS not counted."""
    return max(int(corpus.lengths.max()) for corpus in corpora) - 2
