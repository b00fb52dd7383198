"""The number of steps of a training and the sentences of each step, which are known before a model is built."""

from __future__ import annotations

import numpy as np

from textvae.text.batching import BatchPlan
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.config import TrainConfig


class TrainingPlan:
    """The steps of a training. The number of steps in an epoch depends on the sentences' lengths only.

    Args:
        config: of the training.
        train_corpus: the training sentences.
        valid_corpus: its longest sentence must fit into a batch too.
        seed: of the order of batches.

    Attributes:
        batches: gives the batches of each epoch.
        total_steps: of the whole training, unless early stopping ends it.
        fresh_step: the step before which the decoder is reinitialized; 0 for none.
        all_lengths: whether batches are random samples of the corpus, instead of sentences of similar length.
        valid_batch_tokens: the token budget of a batch of validation sentences.

    Raises:
        ConfigError: a sentence does not fit into a batch.
    """

    def __init__(
        self, config: TrainConfig, train_corpus: TokenizedCorpus, valid_corpus: TokenizedCorpus, seed: int
    ) -> None:
        self.all_lengths = config.batches_all_lengths
        self.batches = BatchPlan(
            np.asarray(train_corpus.lengths),
            config.batch_tokens,
            config.batch_sentences,
            seed,
            all_lengths=self.all_lengths,
        )
        self.total_steps = config.epochs * self.steps_per_epoch
        if config.max_steps is not None:
            self.total_steps = min(self.total_steps, config.max_steps)
        self.fresh_step = (config.fresh_decoder or 0) * self.steps_per_epoch
        # Where batches have all lengths, two of the longest sentences must fit.
        needed = (2 if self.all_lengths else 1) * int(np.max(valid_corpus.lengths))
        self.valid_batch_tokens = max(config.batch_tokens, needed)

    @property
    def steps_per_epoch(self) -> int:
        return self.batches.steps_per_epoch
