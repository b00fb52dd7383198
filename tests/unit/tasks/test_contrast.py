"""Training an encoder on pairs: which pairs are drawn, and what it does to features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from textvae.errors import ConfigError
from textvae.models import SemiSupervisedConfig, SemiSupervisedTextVAE
from textvae.tasks.contrast import ContrastConfig, contrast, drawn_pairs
from textvae.tasks.head_inputs import features
from textvae.text.corpora import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import WordConfig

SMALL = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 8, "bidirectional": True, "pooling": "max"}


def test_each_sentence_is_in_as_many_pairs_of_both_kinds() -> None:
    label_N = np.array([0, 0, 1, 2, 2, 2])
    pairs = drawn_pairs(label_N, 7, np.random.default_rng(0))
    assert len(pairs) == 2 * 7 * 6
    for pair in pairs:
        assert pair.cosine == float(label_N[pair.first] == label_N[pair.second])
    for first in range(6):
        assert sum(pair.first == first and pair.cosine == 1.0 for pair in pairs) == 7
    assert all(pair.cosine == 1.0 for pair in drawn_pairs(np.zeros(3), 2, np.random.default_rng(0)))


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> tuple[SemiSupervisedTextVAE, TokenizedCorpus]:
    examples = [Example(f"{word} {other}", label) for word, label in (("sun", "warm"), ("snow", "cold"))
                for other in ("here", "there", "again", "now", "then", "soon")]  # fmt: skip
    tokenizer = WordConfig(vocab_size=30).train([example.text for example in examples])
    path = tmp_path / "train.arrow"
    write_tokenized(path, examples, tokenizer, max_tokens=5, overlong="error", label_names=["cold", "warm"])
    torch.manual_seed(0)
    config = SemiSupervisedConfig.model_validate({"latent_dim": 2, "encoder": SMALL})
    return config.build(vocab_size=30, max_tokens=5, label_names=("cold", "warm")), TokenizedCorpus(path)


def between(model: SemiSupervisedTextVAE, corpus: TokenizedCorpus) -> tuple[float, float]:
    """The mean cosine of sentences of one class, and of two."""
    found = features(model, corpus, np.arange(12))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    cosine = found @ found.T
    same = np.equal.outer(corpus.labels, corpus.labels)
    return float(cosine[same].mean()), float(cosine[~same].mean())


def test_classes_move_apart_and_only_the_encoder_moves(data: tuple[SemiSupervisedTextVAE, TokenizedCorpus]) -> None:
    model, corpus = data
    before = {name: value.clone() for name, value in model.state_dict().items()}
    contrast(model, corpus, np.arange(12), ContrastConfig(steps=60, lr=0.01), seed=0)
    within, apart = between(model, corpus)
    assert within > 0.9 and apart < 0.3
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("encoder.") for name in moved)


def test_the_same_seed_gives_the_same_encoder(data: tuple[SemiSupervisedTextVAE, TokenizedCorpus]) -> None:
    model, corpus = data
    start, found = {name: value.clone() for name, value in model.state_dict().items()}, []
    for seed in (0, 0, 1):
        model.load_state_dict(start)
        contrast(model, corpus, np.arange(12), ContrastConfig(steps=3, lr=0.01), seed=seed)
        found.append(features(model, corpus, np.arange(12)))
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_an_encoder_that_is_not_trained_is_refused(data: tuple[SemiSupervisedTextVAE, TokenizedCorpus]) -> None:
    model, corpus = data
    model.encoder.freeze()
    with pytest.raises(ConfigError, match="none of its weights is trained; set its trainable = 'all'"):
        contrast(model, corpus, np.arange(12), ContrastConfig(), seed=0)


def test_half_precision_is_another_way_to_the_same(data: tuple[SemiSupervisedTextVAE, TokenizedCorpus]) -> None:
    model, corpus = data
    start, found = {name: value.clone() for name, value in model.state_dict().items()}, []
    for precision in ("float32", "bf16"):
        model.load_state_dict(start)
        contrast(model, corpus, np.arange(12), ContrastConfig(steps=60, lr=0.01, precision=precision), seed=0)
        found.append(features(model, corpus, np.arange(12)))
        within, apart = between(model, corpus)
        assert within > 0.9 and apart < 0.3
    assert not np.array_equal(found[0], found[1])


def test_one_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="a cross-validation needs two folds"):
        ContrastConfig(folds=1)
