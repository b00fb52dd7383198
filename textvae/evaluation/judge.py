"""The judges of a corpus: one independent language model, and one independent classifier.

Wherever fluency is asked, such as of generated sentences, of completions or of paths, it is the NLL of the corpus'
judge, and never that of a language model which is compared itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textvae.arguments import checked_seed
from textvae.errors import DataError, ModelError
from textvae.evaluation.likelihood import likelihood
from textvae.evaluation.perplexity import perplexities
from textvae.evaluation.protocol import TextCorpus
from textvae.evaluation.tfidf import TfidfSVM, labelled_texts, tfidf_of
from textvae.models import TextModel
from textvae.text.given import checked_texts
from textvae.text.token_rows import TokenRows
from textvae.types import UNK_ID


def judge_recipe(card: str | Path, seed: int, *, split: str = "words", max_tokens: int = 100) -> dict[str, Any]:
    """The recipe of a corpus' judge: an LSTM of 1024 units over embeddings of 512, the `lstm_512` of the benchmarks.

    Embeddings are tied, and dropout is that of the recipe `ptb_lm`. Training ends when three epochs have not made it
    better on the valid split. The test split is measured.

    Args:
        card: the name of a corpus card, or its file.
        seed: one that no compared model has.
        split: the rule of the word tokenizer; ``whitespace`` for a corpus that is tokenized already.
        max_tokens: the longest text in tokens; longer ones are cut.

    >>> judge_recipe("data/yelp_short.toml", 101, split="whitespace")["name"]
    'judge_yelp_short'
    """
    return {
        "name": f"judge_{Path(card).stem}",
        "description": f"The judge of fluency for {Path(card).stem}: a language model that is compared with nothing.",
        "corpus": str(card),
        "seed": checked_seed(seed),
        "tokenize": {
            "max_tokens": max_tokens,
            "overlong": "truncate",
            "tokenizer": {"kind": "word", "vocab_size": 20_000, "split": split},
        },
        "train": {
            "epochs": 20,
            "early_stopping": 3,
            "batch_tokens": 1536,
            "clip_norm": 5.0,
            "warmup": 200,
            "optimizer": {"kind": "adamw", "lr": 1e-3, "weight_decay": 0.01},
            "decay": {"kind": "cosine", "final": 0.02},
            "model": {
                "kind": "language_model",
                "decoder": {
                    "kind": "lstm",
                    "embedding_dim": 512,
                    "hidden_dim": 1024,
                    "dropout": 0.35,
                    "tie_embeddings": True,
                },
            },
        },
        "evaluate": {"samples": 5, "quality_samples": 0},
    }


@dataclass(frozen=True)
class Judgement:
    """What a judge says of texts.

    Attributes:
        nll: of each text, nats, EOS included, float64 [N].
        tokens: predicted tokens of each, EOS counted, int64 [N].
        unknown: tokens of each that the judge does not know, int64 [N]. All unknown words are one word to it, which may
            be a likely one: where there are more of them than in the corpus, the NLL flatters.
        cut: texts longer than the judge's `max_tokens`, of which the beginning alone was judged.
        blank: texts without a token. Their NLL is that of EOS as the first token, which the judge has never seen.
    """

    nll: np.ndarray
    tokens: np.ndarray
    unknown: np.ndarray
    cut: int
    blank: int

    @property
    def perplexity(self) -> float:
        """exp(total NLL / total tokens)."""
        return float(perplexities(self.nll, None, self.tokens)["ppl"])


class Judge:
    """The independent language model of a corpus.

    Args:
        model: a language model with its tokenizer, such as `load_model` gives.

    Raises:
        ModelError: the model's likelihood is a bound only, or it has no tokenizer.

    >>> from textvae.models import LanguageModelConfig
    >>> from textvae.text.tokenizers import WordConfig
    >>> tokenizer = WordConfig(vocab_size=20).train(["the cat sings"])
    >>> model = LanguageModelConfig().build(vocab_size=tokenizer.vocab_size, max_tokens=3)
    >>> model.tokenizer = tokenizer
    >>> found = Judge(model).judge(["the cat", "", "the cat sings the"])
    >>> found.nll.shape, found.tokens.tolist(), found.cut, found.blank
    ((3,), [3, 1, 4], 1, 1)
    """

    def __init__(self, model: TextModel) -> None:
        if not model.config.exact:
            raise ModelError(
                f"a judge is a language model, whose likelihood is exact, and this is a '{model.config.kind}' model; "
                "train one with textvae.evaluation.judge_recipe."
            )
        self.model = model
        self._tokenizer = model.require_tokenizer()

    def judge(self, texts: Iterable[str]) -> Judgement:
        """The likelihood of texts. A text that is too long is cut as in training, and counted.

        Args:
            texts: any; a blank one is judged too.

        Raises:
            DataError: there is no text, or one is not a string.
        """
        texts = checked_texts(texts, unit="text")
        ids = self._tokenizer.encode_batch(texts)
        longest = self.model.max_tokens
        rows = TokenRows([row[:longest] for row in ids])
        found = likelihood(self.model, rows, num_samples=1)
        assert found.iw_nll is not None
        return Judgement(
            nll=found.iw_nll,
            tokens=found.tokens,
            unknown=np.array([row[:longest].count(UNK_ID) for row in ids], dtype=np.int64),
            cut=sum(len(row) > longest for row in ids),
            blank=sum(not row for row in ids),
        )

    def nll(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Nats of each text, float64 [N], and its predicted tokens, EOS counted, int64 [N] (`judge`)."""
        found = self.judge(texts)
        return found.nll, found.tokens

    def perplexity(self, texts: Iterable[str]) -> float:
        """exp(total NLL / total tokens) of texts (`judge`): comparable only under one judge."""
        return self.judge(texts).perplexity


class LabelJudge:
    """The independent classifier of a corpus: a linear SVM on TF-IDF of words and pairs, from all training labels.

    Args:
        train: the training split, with labels; the texts without one count for the frequencies of words only.
        test: another split, on which its accuracy is measured.

    Attributes:
        label_names: the classes.
        accuracy: share of the test sentences with a label that it labels right. It belongs beside every figure that
            the judge gives: how often generated sentences have a label can hardly be known better.
        accuracy_se: the standard error of that.
        sentences: number of these test sentences.

    Raises:
        DataError: a split has no labels.
    """

    def __init__(self, train: TextCorpus, test: TextCorpus) -> None:
        texts, label_N = labelled_texts(train)
        unseen, right_M = labelled_texts(test)
        if not texts or not unseen:
            without = "training" if not texts else "test"
            raise DataError(f"the {without} split has no labels, so there is no classifier; take a corpus with labels.")
        self.label_names = train.label_names
        self._svm = TfidfSVM(tfidf_of([train.text(row) for row in range(len(train))]), texts, label_N)
        self.sentences = len(unseen)
        self.accuracy = float((self._svm.labels_of(unseen) == right_M).mean())
        self.accuracy_se = math.sqrt(self.accuracy * (1 - self.accuracy) / self.sentences)

    def labels_of(self, texts: Iterable[str]) -> list[str]:
        """The label of each text, by name. All texts without a word of the corpus have the same one.

        Raises:
            DataError: there is no text, or one is not a string.
        """
        return [self.label_names[label] for label in self._svm.labels_of(checked_texts(texts, unit="text"))]
