"""Which sentences go together, and that a batch holds exactly their tokens."""

from __future__ import annotations

import pickle
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from textvae.errors import ConfigError, DataError
from textvae.text.batching import BatchPlan, encode_texts, sequential_batches
from textvae.text.corpora import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import WordConfig
from textvae.types import BOS_ID, EOS_ID, PAD_ID

LENGTHS = st.lists(st.integers(3, 30), min_size=1, max_size=80).map(np.array)
BUDGET = st.integers(30, 200)
SENTENCES = st.none() | st.integers(1, 20)


@settings(deadline=None, max_examples=100)
@given(lengths=LENGTHS, budget=BUDGET, most=SENTENCES, seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_an_epoch_is_a_permutation_within_budget(lengths, budget, most, seed, epoch):
    plan = BatchPlan(lengths, budget, most, seed)
    batches = plan.epoch(epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert len(batches) == plan.steps_per_epoch == len(plan.epoch(epoch + 1))
    for batch in batches:
        assert 0 < len(batch) <= (most or len(lengths))
        assert len(batch) * lengths[batch].max() <= budget
    again = BatchPlan(lengths, budget, most, seed).epoch(epoch)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


@settings(deadline=None, max_examples=100)
@given(lengths=LENGTHS, budget=BUDGET, most=SENTENCES)
def test_evaluation_batches(lengths, budget, most):
    batches = sequential_batches(lengths, budget, most)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(len(b) * lengths[b].max() <= budget and len(b) <= (most or len(b)) for b in batches)
    # Cut greedily: no batch could have taken the next sentence.
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > budget or len(batch) == most


def test_epochs_and_seeds_differ():
    lengths = np.random.default_rng(0).integers(4, 15, 1000)

    def order(seed, epoch):
        return np.concatenate(BatchPlan(lengths, 256, None, seed).epoch(epoch)).tolist()

    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}) == 6


@settings(deadline=None, max_examples=100)
@given(lengths=LENGTHS, budget=st.integers(60, 200), most=st.none() | st.integers(2, 20), seed=st.integers(0, 5))
def test_batches_of_all_lengths_are_of_one_size_and_within_budget(lengths, budget, most, seed):
    plan = BatchPlan(lengths, budget, most, seed, all_lengths=True)
    batches = plan.epoch(0)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert len(batches) == plan.steps_per_epoch == len(plan.epoch(1))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) - min(sizes) <= 1 and max(sizes) * lengths.max() <= budget and max(sizes) <= (most or max(sizes))
    again = BatchPlan(lengths, budget, most, seed, all_lengths=True).epoch(0)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_a_batch_of_all_lengths_is_a_fair_sample():
    """The lengths of a batch vary as those of the corpus; in the other batches they do not."""
    lengths = np.random.default_rng(0).integers(4, 40, 5000)

    def variance_within(all_lengths: bool) -> float:
        batches = BatchPlan(lengths, 2048, None, 0, all_lengths=all_lengths).epoch(0)
        return np.mean([lengths[batch].var(ddof=1) for batch in batches])

    # 97 batches of 51: the standard error of the mean of their variances is about a hundredth of it.
    assert variance_within(True) == pytest.approx(lengths.var(), rel=0.04)
    assert variance_within(False) < 0.01 * lengths.var()


def test_padding_is_small():
    lengths = np.random.default_rng(0).integers(4, 40, 5000)
    batches = BatchPlan(lengths, 2048, None, 0).epoch(0)
    assert lengths.sum() / sum(len(b) * lengths[b].max() for b in batches) > 0.97


def test_budgets_that_cannot_be_kept():
    with pytest.raises(ConfigError, match="batch_tokens is 5"):
        BatchPlan(np.array([3, 9]), 5, None, 0)
    with pytest.raises(ConfigError, match="batch_sentences is 0"):
        BatchPlan(np.array([3, 9]), 50, 0, 0)
    with pytest.raises(ConfigError, match="no sentences"):
        sequential_batches(np.array([], dtype=int), 50)
    with pytest.raises(ConfigError, match="at least two; got batch_tokens = 17 with sentences of up to 9"):
        BatchPlan(np.array([3, 9]), 17, None, 0, all_lengths=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 500, rng.integers(1, 40))) for _ in range(5000)]
    tokenizer = WordConfig(split="whitespace").train(texts)
    path = tmp_path_factory.mktemp("corpus") / "train.arrow"
    examples = [Example(text, "ab"[i % 2] if i % 3 else None) for i, text in enumerate(texts)]
    write_tokenized(path, examples, tokenizer, max_tokens=50, label_names=["a", "b"])
    return texts, tokenizer, TokenizedCorpus(path)


@settings(deadline=None, max_examples=50)
@given(indices=st.lists(st.integers(0, 4999), min_size=1, max_size=40))
def test_a_gather_equals_a_loop(corpus, indices):
    texts, tokenizer, tokenized = corpus
    batch = tokenized.batch(np.array(indices))
    rows = [[BOS_ID, *tokenizer.encode(texts[i]), EOS_ID] for i in indices]
    width = max(map(len, rows))
    assert batch.tokens_BT.tolist() == [row + [PAD_ID] * (width - len(row)) for row in rows]
    assert batch.lengths_B.tolist() == [len(row) for row in rows] == tokenized.lengths[indices].tolist()
    assert batch.label_B.tolist() == [i % 2 if i % 3 else -1 for i in indices]
    assert batch.example_id_B.tolist() == indices
    assert {t.dtype for t in (batch.tokens_BT, batch.lengths_B, batch.label_B, batch.example_id_B)} == {torch.int64}


def test_only_the_path_is_pickled(corpus):
    _, _, tokenized = corpus
    packed = pickle.dumps(tokenized)
    assert len(packed) < 1000
    copy = pickle.loads(packed)
    assert copy.label_names == ("a", "b") and len(copy) == 5000
    assert copy.batch(np.arange(3)).tokens_BT.equal(tokenized.batch(np.arange(3)).tokens_BT)


def test_a_batch_takes_well_under_a_millisecond(corpus):
    _, _, tokenized = corpus
    batches = [np.random.default_rng(i).integers(0, 5000, 64) for i in range(100)]
    best = min(_seconds(tokenized, batches) for _ in range(5))
    assert best / len(batches) < 1e-3


def _seconds(tokenized, batches):
    start = time.perf_counter()
    for batch in batches:
        tokenized.batch(batch)
    return time.perf_counter() - start


def test_sentences_someone_typed(corpus):
    texts, tokenizer, tokenized = corpus
    batch = encode_texts(texts[:3], tokenizer, 50, [0, -1, 1])
    assert batch.tokens_BT.equal(tokenized.batch(np.arange(3)).tokens_BT)
    assert batch.label_B.tolist() == [0, -1, 1]
    assert encode_texts(texts[:3], tokenizer, 50).label_B is None
    with pytest.raises(DataError, match="Sentence 2 is empty"):
        encode_texts(["w1", "  "], tokenizer, 50)
    with pytest.raises(DataError, match=r"has 3 tokens, more than the 2"):
        encode_texts(["w1 w2 w3"], tokenizer, 2)
    with pytest.raises(DataError, match="at least one"):
        encode_texts([], tokenizer, 2)
    with pytest.raises(DataError, match="one string"):
        encode_texts("w1", tokenizer, 2)
    with pytest.raises(DataError, match="2 labels for 1"):
        encode_texts(["w1"], tokenizer, 2, [0, 1])
