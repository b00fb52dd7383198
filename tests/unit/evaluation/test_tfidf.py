"""The baseline from words learns from as many labels as it says, by the draw that it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.helpers import LABELS
from textvae.evaluation.tfidf import tfidf_accuracies
from textvae.text.corpora.base import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import WordConfig

pytest.importorskip("sklearn")
WORDS = (("bad", "poor", "awful", "sad"), ("good", "great", "fine", "lovely"))


def corpus(path: Path, count: int, seed: int, noise: float = 0.0) -> TokenizedCorpus:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, count)
    texts = [f"it was {rng.choice(WORDS[label if rng.random() >= noise else 1 - label])} today" for label in classes]
    examples = [Example(text, LABELS[label]) for text, label in zip(texts, classes, strict=True)]
    tokenizer = WordConfig(vocab_size=60).train(texts)
    write_tokenized(path, examples, tokenizer, max_tokens=12, label_names=LABELS)
    return TokenizedCorpus(path)


def test_words_of_a_class_are_learned_and_chance_is_chance(tmp_path: Path) -> None:
    train, test = corpus(tmp_path / "train.arrow", 200, 0), corpus(tmp_path / "test.arrow", 400, 1)
    found = tfidf_accuracies(train, test, [2, 60], [0, 1, 2])
    assert found.shape == (2, 3)
    assert (found[1] == 1.0).all() and found[0].max() < 1.0, "two words are not all of the words"
    few = tfidf_accuracies(train, test, [6], range(6))[0]
    assert few.std() > 0, "other draws of labels"
    np.testing.assert_array_equal(found, tfidf_accuracies(train, test, [2, 60], [0, 1, 2]))
    noise = [corpus(tmp_path / f"noise{seed}.arrow", 400, seed, noise=0.5) for seed in (2, 3)]
    # Nothing can be learned: 4 standard errors of a fair coin over 400 sentences.
    assert abs(tfidf_accuracies(*noise, [100], [0])[0, 0] - 0.5) < 0.1


def test_labels_of_one_class_answer_it(tmp_path: Path) -> None:
    train, test = corpus(tmp_path / "train.arrow", 50, 0), corpus(tmp_path / "test.arrow", 100, 1)
    share = float(tfidf_accuracies(train, test, [1], [0])[0, 0])
    assert share == pytest.approx(np.mean(np.asarray(test.labels) == 0)), "the first class gets the remainder"
