"""What every encoder must do."""

from __future__ import annotations

import pytest
import torch

from tests.components import ENCODERS, random_batch, reading, scramble
from textvae.encoders import EncoderConfig
from textvae.types import BOS_ID


@pytest.fixture(params=ENCODERS, name="config")
def _config(request: pytest.FixtureRequest) -> EncoderConfig:
    return ENCODERS[request.param]


def test_padding_and_batch_order_never_change_features(config: EncoderConfig) -> None:
    encoder = reading(scramble(config.build(vocab_size=11, max_tokens=9)).eval())
    batch = random_batch()
    expected = encoder(batch.tokens_BT, batch.lengths_B)
    assert expected.shape == (5, encoder.feature_dim)
    padded = random_batch(extra_padding=2)
    torch.testing.assert_close(encoder(padded.tokens_BT, padded.lengths_B), expected, rtol=1e-4, atol=1e-5)
    for row in range(5):
        alone = batch.tokens_BT[row : row + 1, : batch.lengths_B[row]]
        torch.testing.assert_close(
            encoder(alone, batch.lengths_B[row : row + 1]), expected[row : row + 1], rtol=1e-4, atol=1e-5
        )


def test_every_word_matters(config: EncoderConfig) -> None:
    encoder = reading(scramble(config.build(vocab_size=11, max_tokens=9)).eval().double())
    tokens, lengths = torch.tensor([[BOS_ID, 4, 5, 6, 2]]), torch.tensor([5])
    expected = encoder(tokens, lengths)
    for position in (1, 2, 3):
        changed = tokens.clone()
        changed[0, position] = 9
        assert not torch.allclose(encoder(changed, lengths), expected, atol=1e-9), position


def test_a_frozen_encoder_reads_a_sentence_once_without_dropout_or_gradient(config: EncoderConfig) -> None:
    encoder = reading(scramble(config.build(vocab_size=11, max_tokens=9)).eval())
    batch, other = random_batch(), random_batch(seed=1)
    expected = encoder(batch.tokens_BT, batch.lengths_B)
    encoder.freeze()
    encoder.train()
    assert not encoder.training and not any(one.requires_grad for one in encoder.parameters())
    first = encoder(batch.tokens_BT, batch.lengths_B)
    torch.testing.assert_close(first, expected.detach(), rtol=1e-4, atol=1e-5)
    # New sentences among known ones, in another order and with more padding: known ones come back to the bit.
    padded = random_batch(extra_padding=2)
    order = torch.tensor([4, 2, 0])
    again = encoder(padded.tokens_BT[order], padded.lengths_B[order])
    assert torch.equal(again, first[order]) and not again.requires_grad
    fresh = encoder(other.tokens_BT, other.lengths_B)
    assert encoder.memory is not None and len(encoder.memory) == 10
    assert not torch.allclose(fresh, first)
