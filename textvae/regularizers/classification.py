"""The cross-entropy that teaches a semi-supervised VAE's classifier the labels it is given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor
from torch.nn.functional import nll_loss

from textvae.layers import drop_words
from textvae.models import TextModel
from textvae.text.tokenized import TokenizedCorpus
from textvae.types import Batch, LatentTerms


class ClassificationLoss:
    """weight * mean of -log q(y|x) over a batch of labelled sentences.

    The bound of a labelled sentence does not contain q(y|x), so the classifier would never see a label without
    this term: alpha in Kingma et al. 2014 (arXiv 1406.5298), eq. 9. Labelled sentences are few, so instead of waiting
    for one to turn up in a training batch, each step draws its own batch of them. The draw is a function of
    (seed, step), and so resuming is exact.

    Args:
        corpus: training sentences; those with a label are the pool.
        weight: alpha.
        sentences: labelled sentences a step.
        word_dropout: share of their words hidden from the classifier, so that it does not lean on a few words of the
            few sentences it knows.
        seed: of the draws.
    """

    def __init__(
        self, corpus: TokenizedCorpus, *, weight: float, sentences: int, seed: int, word_dropout: float = 0.0
    ) -> None:
        self.corpus, self.weight, self.seed, self.word_dropout = corpus, weight, seed, word_dropout
        self.labelled = np.flatnonzero(np.asarray(corpus.labels) >= 0)
        self.sentences = min(sentences, len(self.labelled))

    def __call__(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The same penalty for every sentence of the batch, so that its mean is the mean over the labelled ones."""
        drawn = np.random.default_rng([self.seed, step]).choice(self.labelled, self.sentences, replace=False)
        labelled = self.corpus.batch(drawn).to(batch.tokens_BT.device)
        assert labelled.label_B is not None
        seen = replace(labelled, tokens_BT=drop_words(labelled.tokens_BT, self.word_dropout))
        loss = nll_loss(model.label_log_prob(seen), labelled.label_B)
        return {"classification": (self.weight * loss).expand(batch.tokens_BT.shape[0])}
