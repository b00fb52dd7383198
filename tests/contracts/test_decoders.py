"""What every decoder must do, whatever it is made of."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.components import DECODERS, random_batch, scramble
from textvae.decoders import Decoder, DecoderConfig
from textvae.types import BOS_ID, EOS_ID, PAD_ID, Context

VOCAB, LATENT, LABELS = 11, 3, 4


def build(config: DecoderConfig, labels: int = 0, vocab_size: int = VOCAB, latent_dim: int = LATENT) -> Decoder:
    decoder = config.build(vocab_size=vocab_size, latent_dim=latent_dim, num_labels=labels, max_tokens=9)
    return scramble(decoder).eval()  # type: ignore[return-value]


@pytest.fixture(params=DECODERS, name="config")
def _config(request: pytest.FixtureRequest) -> DecoderConfig:
    return DECODERS[request.param]


@pytest.mark.parametrize("labels", [0, LABELS])
@pytest.mark.parametrize("latent_dim", [LATENT, 0])
def test_stepping_agrees_with_teacher_forcing(config: DecoderConfig, labels: int, latent_dim: int) -> None:
    decoder = build(config, labels, latent_dim=latent_dim)
    batch = random_batch(labels=labels)
    z = torch.randn(5, latent_dim)
    context = Context(label_B=batch.label_B)
    forced = decoder.token_log_prob(batch.tokens_BT, z.unsqueeze(0), context)[0]
    state = decoder.init_state(z, context)
    for position in range(batch.tokens_BT.shape[1] - 1):
        scores, state = decoder.step(batch.tokens_BT[:, position], state)
        target = batch.tokens_BT[:, position + 1]
        stepped = scores.gather(1, target.unsqueeze(1)).squeeze(1)
        real = target != PAD_ID
        torch.testing.assert_close(stepped[real], forced[:, position][real], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("labels", [0, LABELS])
def test_padding_and_batch_order_never_change_a_likelihood(config: DecoderConfig, labels: int) -> None:
    decoder = build(config, labels)
    batch, z = random_batch(labels=labels), torch.randn(2, 5, LATENT)
    context = Context(label_B=batch.label_B)
    expected = decoder.log_prob(batch.tokens_BT, z, context)
    padded = random_batch(extra_padding=2).tokens_BT
    torch.testing.assert_close(decoder.log_prob(padded, z, context), expected, rtol=1e-4, atol=1e-5)
    order = torch.tensor([3, 1, 4, 0, 2])
    found = decoder.log_prob(batch.tokens_BT[order], z[:, order], context.rows(order))
    torch.testing.assert_close(found, expected[:, order], rtol=1e-4, atol=1e-5)
    for row in range(5):
        alone = batch.tokens_BT[row : row + 1, : batch.lengths_B[row]]
        found = decoder.log_prob(alone, z[:, row : row + 1], context.rows(torch.tensor([row])))
        torch.testing.assert_close(found, expected[:, row : row + 1], rtol=1e-4, atol=1e-5)


def test_samples_are_independent_rows(config: DecoderConfig) -> None:
    decoder = build(config)
    batch, z = random_batch(), torch.randn(4, 5, LATENT)
    together = decoder.log_prob(batch.tokens_BT, z)
    apart = torch.cat([decoder.log_prob(batch.tokens_BT, z[s : s + 1]) for s in range(4)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


def test_labels_may_differ_by_sample(config: DecoderConfig) -> None:
    decoder = build(config, LABELS)
    batch, z = random_batch(), torch.randn(LABELS, 5, LATENT)
    label_SB = torch.arange(LABELS).unsqueeze(1).expand(LABELS, 5)
    together = decoder.log_prob(batch.tokens_BT, z, Context(label_B=label_SB))
    apart = torch.cat(
        [decoder.log_prob(batch.tokens_BT, z[c : c + 1], Context(label_B=label_SB[c])) for c in range(LABELS)]
    )
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
    assert (together.std(0) > 1e-4).all(), "the label changes nothing"


def test_z_changes_the_likelihood(config: DecoderConfig) -> None:
    decoder, batch = build(config), random_batch()
    scores = decoder.log_prob(batch.tokens_BT, torch.randn(2, 5, LATENT))
    assert ((scores[0] - scores[1]).abs() > 1e-4).all()


@pytest.mark.parametrize("labels", [0, LABELS])
def test_probabilities_of_a_toy_language_sum_to_one(config: DecoderConfig, labels: int) -> None:
    """All sentences of up to 3 of 3 words, and the unfinished prefixes of 4 words, sum to 1 within 1e-5."""
    decoder, words, longest = build(config, labels, vocab_size=6), (3, 4, 5), 3
    z = torch.randn(LATENT)
    sequences = [[*list(s), EOS_ID] for n in range(longest + 1) for s in itertools.product(words, repeat=n)]
    sequences += [list(s) for s in itertools.product(words, repeat=longest + 1)]
    tokens = torch.zeros(len(sequences), longest + 2, dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence) + 1] = torch.tensor([BOS_ID, *sequence])
    context = Context(label_B=torch.full((len(sequences),), 2)) if labels else None
    total = decoder.log_prob(tokens, z.expand(1, len(sequences), -1), context).double().exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


def test_select_reorders_and_repeats_rows(config: DecoderConfig) -> None:
    decoder = build(config, LABELS)
    z, labels = torch.randn(3, LATENT), torch.tensor([0, 2, 3])
    first, second = torch.tensor([BOS_ID] * 3), torch.tensor([4, 5, 6])
    index = torch.tensor([2, 0, 0, 1])
    _, state = decoder.step(first, decoder.init_state(z, Context(label_B=labels)))
    expected, _ = decoder.step(second, state)
    selected, _ = decoder.step(second[index], decoder.select(state, index))
    torch.testing.assert_close(selected, expected[index], rtol=1e-4, atol=1e-5)


def test_word_dropout_acts_in_training_only(config: DecoderConfig) -> None:
    if not 0 < build(config).word_dropout < 1:
        pytest.skip("this decoder hides no words, or all of them")
    quiet = config.model_copy(update={"dropout": 0.0})
    decoder = build(quiet)
    batch, z = random_batch(sentences=40), torch.randn(1, 40, LATENT)
    evaluated = decoder.log_prob(batch.tokens_BT, z)
    torch.testing.assert_close(decoder.log_prob(batch.tokens_BT, z), evaluated)
    decoder.train()
    trained = decoder.log_prob(batch.tokens_BT, z)
    changed = ((trained - evaluated).abs() > 1e-5)[0]
    assert changed.any()
    # BOS is never dropped, so the first word's probability never changes.
    first = decoder.token_log_prob(batch.tokens_BT, z)[..., 0]
    torch.testing.assert_close(first, decoder.eval().token_log_prob(batch.tokens_BT, z)[..., 0], rtol=1e-4, atol=1e-5)


def test_inputless_decoders_read_no_words(config: DecoderConfig) -> None:
    decoder = build(config)
    z = torch.randn(1, LATENT)
    one, other = (torch.tensor([[BOS_ID, word, 7, EOS_ID]]) for word in (4, 9))
    scores = [decoder.token_log_prob(tokens, z.unsqueeze(0))[0, 0, 1:] for tokens in (one, other)]
    _, state = decoder.step(torch.tensor([BOS_ID]), decoder.init_state(z))
    stepped = [decoder.step(torch.tensor([word]), state)[0] for word in (4, 9)]
    if decoder.inputless:
        torch.testing.assert_close(scores[0], scores[1])
        torch.testing.assert_close(stepped[0], stepped[1])
    else:
        assert not torch.allclose(scores[0], scores[1])
        assert not torch.allclose(stepped[0], stepped[1])


@pytest.mark.parametrize("labels", [0, LABELS])
def test_gradients_equal_those_of_plain_operations(config: DecoderConfig, labels: int) -> None:
    """The projection's own backward pass against log_softmax and gather, float64, 1e-9; second derivatives exist."""
    decoder = build(config.model_copy(update={"dropout": 0.0}), labels).double()
    batch = random_batch(labels=labels)
    context = Context(label_B=batch.label_B)
    z = torch.randn(1, 5, LATENT, dtype=torch.float64, requires_grad=True)
    parameters = list(decoder.parameters())
    score = decoder.log_prob(batch.tokens_BT, z, context).sum()
    fused = torch.autograd.grad(score, [z, *parameters], allow_unused=True)
    state, total = decoder.init_state(z[0], context), torch.zeros((), dtype=torch.float64)
    for position in range(batch.tokens_BT.shape[1] - 1):
        scores, state = decoder.step(batch.tokens_BT[:, position], state)
        target = batch.tokens_BT[:, position + 1]
        total = total + scores.gather(1, target.unsqueeze(1)).squeeze(1)[target != PAD_ID].sum()
    plain = torch.autograd.grad(total, [z, *parameters], allow_unused=True)
    for one, other in zip(fused, plain, strict=True):
        if one is not None or other is not None:
            assert one is not None and other is not None
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)
