"""The cross-entropy loss that trains the classifier of a semi-supervised VAE on the labelled sentences."""

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

    The bound of a labelled sentence does not contain q(y|x), so without this term no label would train the classifier:
    the term with alpha in Kingma et al. 2014 (arXiv 1406.5298), eq. 9. There are few labelled sentences, so each step
    draws a separate batch of them, by a generator seeded with (seed, step), which makes resuming exact.

    Args:
        corpus: the training sentences; those with a label are used.
        weight: alpha.
        sentences: labelled sentences in each step.
        word_dropout: share of their words that are hidden from the classifier, against overfitting to few sentences.
        seed: seed of the draws.
        labelled: places of the labelled sentences; all that have a label when None.
    """

    def __init__(
        self,
        corpus: TokenizedCorpus,
        *,
        weight: float,
        sentences: int,
        seed: int,
        word_dropout: float = 0.0,
        labelled: np.ndarray | None = None,
    ) -> None:
        self.corpus, self.weight, self.seed, self.word_dropout = corpus, weight, seed, word_dropout
        self.labelled = np.flatnonzero(np.asarray(corpus.labels) >= 0) if labelled is None else labelled
        self.sentences = min(sentences, len(self.labelled))

    def __call__(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The mean loss over the labelled sentences, repeated for every sentence of the batch, [B]."""
        return {"classification": (self.weight * self.of_labelled(model, step)).expand(batch.tokens_BT.shape[0])}

    def of_labelled(self, model: TextModel, step: int) -> Tensor:
        """Mean of -log q(y|x) over the labelled sentences of a step, nats, a scalar."""
        drawn = np.random.default_rng([self.seed, step]).choice(self.labelled, self.sentences, replace=False)
        labelled = self.corpus.batch(drawn).to(model.device)
        assert labelled.label_B is not None
        seen = replace(labelled, tokens_BT=drop_words(labelled.tokens_BT, self.word_dropout))
        return nll_loss(model.label_log_prob(seen), labelled.label_B)
