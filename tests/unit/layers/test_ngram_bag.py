"""The TF-IDF vector of a sentence's n-grams, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import torch

from textvae.layers import NgramBag, drop_words
from textvae.types import UNK_ID

V = 20


def sentences(count: int, seed: int) -> tuple[torch.Tensor, list[str]]:
    """Sentences without a repeated word, as tokens and as text."""
    generator = np.random.default_rng(seed)
    rows, texts = [], []
    for _ in range(count):
        words = generator.permutation(np.arange(4, V))[: generator.integers(1, 7)].tolist()
        texts.append(" ".join(f"w{word}" for word in words))
        rows.append([1, *words, 2] + [0] * (6 - len(words)))
    return torch.tensor(rows), texts


def test_words_have_the_weights_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokens, texts = sentences(30, seed=0)
    vectors = TfidfVectorizer(token_pattern=r"\S+").fit(texts)
    bag = NgramBag(V, outputs=1, longest=1)
    bag.set_frequencies(bag.count(tokens), len(tokens))
    ids, share = bag.shares(tokens)
    ours = np.zeros((len(texts), V))
    np.add.at(ours, (np.arange(len(texts))[:, None], ids.numpy()), share.numpy())
    places = [int(name[1:]) for name in vectors.get_feature_names_out()]
    np.testing.assert_allclose(ours[:, places], vectors.transform(texts).toarray(), atol=1e-6)


def test_it_is_linear_in_what_it_says_it_is() -> None:
    tokens, _ = sentences(10, seed=1)
    bag = NgramBag(V, outputs=3, longest=3, buckets=40)
    torch.nn.init.normal_(bag.weight)
    bag.set_frequencies(bag.count(tokens), len(tokens))
    ids, share = bag.shares(tokens)
    expected = (bag.weight[ids] * share.unsqueeze(-1)).sum(1)
    torch.testing.assert_close(bag(tokens), expected)
    torch.testing.assert_close(share.square().sum(-1), torch.ones(10))


def test_padding_and_hidden_words_are_in_no_n_gram() -> None:
    tokens, _ = sentences(10, seed=2)
    bag = NgramBag(V, outputs=2, longest=2, buckets=1000)
    torch.nn.init.normal_(bag.weight)
    wider = torch.cat([tokens, torch.zeros(10, 3, dtype=torch.int64)], 1)
    torch.testing.assert_close(bag(wider), bag(tokens))
    hidden = drop_words(tokens, 1.0)
    assert (hidden == UNK_ID).any()
    assert torch.equal(bag(hidden), torch.zeros(10, 2))


def test_order_matters_to_pairs_and_not_to_words() -> None:
    forward, backward = torch.tensor([[1, 5, 6, 7, 2]]), torch.tensor([[1, 7, 6, 5, 2]])
    for longest, same in ((1, True), (2, False)):
        bag = NgramBag(V, outputs=2, longest=longest, buckets=1000)
        torch.manual_seed(0)
        torch.nn.init.normal_(bag.weight)
        assert torch.allclose(bag(forward), bag(backward), atol=1e-6) == same


def test_frequencies_count_sentences_not_occurrences() -> None:
    bag = NgramBag(V, outputs=1, longest=1)
    counts = bag.count(torch.tensor([[1, 5, 5, 2], [1, 5, 6, 2]]))
    assert counts[5] == 2 and counts[6] == 1 and counts.sum() == 3
