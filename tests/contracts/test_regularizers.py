"""Model, batch, terms and step in, penalties by name out: what every regularizer of a recipe must do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.components import REGULARIZERS, SMALL, random_batch, scramble
from textvae.config import parse
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, TextModel, TextVAEConfig
from textvae.regularizers import BagOfWordsConfig, BagOfWordsLoss, RegularizerConfig
from textvae.types import EOS_ID, PAD_ID, Batch, LatentTerms

V, D = 11, 3
PARTS = {"latent_dim": D, "encoder": LSTMEncoderConfig(**SMALL), "decoder": LSTMDecoderConfig(**SMALL)}


def vae() -> TextModel:
    model = scramble(TextVAEConfig(**PARTS).build(vocab_size=V, max_tokens=9))
    assert isinstance(model, TextModel)
    return model


def built(name: str) -> torch.nn.Module:
    return scramble(REGULARIZERS[name].build(vocab_size=V, latent_dim=D, steps_per_epoch=1, total_steps=1))


def fitting(name: str) -> TextModel:
    """A model that the regularizer is for."""
    if not REGULARIZERS[name].needs_classifier:
        return vae()
    return scramble(SemiSupervisedConfig(**PARTS).build(vocab_size=V, max_tokens=9, label_names=("a", "b", "c")))


@pytest.mark.parametrize("name", REGULARIZERS)
def test_penalties_are_one_number_a_sentence_and_teach_model_and_regularizer(name: str) -> None:
    model, regularizer, batch = fitting(name), built(name), random_batch()
    penalties = regularizer(model, batch, model.terms(batch, 2), 0)
    assert penalties
    for penalty_B in penalties.values():
        assert penalty_B.shape == (5,) and torch.isfinite(penalty_B).all()
    torch.stack(list(penalties.values())).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in regularizer.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.encoder.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", REGULARIZERS)
def test_configs_survive_json(name: str) -> None:
    config = REGULARIZERS[name]
    assert parse(RegularizerConfig, config.model_dump(mode="json"), name) == config


# ------------------------------------------------------------------ bag of words


def penalty(regularizer: torch.nn.Module, model: TextModel, batch: Batch, terms: LatentTerms) -> Tensor:
    return regularizer(model, batch, terms, 0)["bag_of_words"]


@pytest.mark.parametrize("name", ["bag_of_words", "bag_of_words-hidden"])
def test_bag_of_words_word_by_word(name: str) -> None:
    """-weight * mean over samples of the sum over words of log softmax(W f(z) + b)_word; EOS and padding left out."""
    model, regularizer, batch = vae(), built(name), random_batch(extra_padding=2)
    assert isinstance(regularizer, BagOfWordsLoss)
    terms = model.terms(batch, 4)
    found = penalty(regularizer, model, batch, terms)
    projection = regularizer.words
    for row, tokens in enumerate(batch.tokens_BT.tolist()):
        words = [token for token in tokens[1:] if token not in (PAD_ID, EOS_ID)]
        assert len(words) == batch.lengths_B[row] - 2
        total = 0.0
        for z_D in terms.latents[0].z_SUD[:, row]:
            logits = (projection.weight @ regularizer.hidden(z_D) + projection.bias)[2:]  # no PAD, no BOS
            total += sum(logits.log_softmax(0)[word - 2].item() for word in words)
        assert found[row].item() == pytest.approx(-REGULARIZERS[name].weight * total / 4, rel=1e-5)


def test_bag_of_words_does_not_know_the_order_of_words() -> None:
    model, regularizer = vae(), built("bag_of_words")
    batch = Batch(torch.tensor([[1, 5, 6, 7, 2], [1, 7, 5, 6, 2]]), torch.tensor([5, 5]))
    terms = model.terms(batch)
    group = terms.latents[0]
    terms = replace(terms, latents=(replace(group, z_SUD=group.z_SUD[:, :1].expand(-1, 2, -1)),))
    one, other = penalty(regularizer, model, batch, terms)
    torch.testing.assert_close(one, other)


def test_bag_of_words_weighs_enumerated_labels() -> None:
    """A sentence with a known label counts the samples of that label only."""
    model = scramble(SemiSupervisedConfig(**PARTS).build(vocab_size=V, max_tokens=9, label_names=("a", "b", "c")))
    assert isinstance(model, TextModel)
    regularizer, batch = built("bag_of_words"), random_batch(labels=3)
    assert batch.label_B is not None
    terms = model.terms(batch, 2)
    group = terms.latents[0]
    rows = group.z_SUD.unflatten(0, (2, 3))[:, batch.label_B, torch.arange(5)]
    even = torch.full((2, 5), -torch.tensor(2.0).log().item())
    plain = replace(terms, log_weight_SB=even, latents=(replace(group, z_SUD=rows),))
    expected = penalty(regularizer, model, batch, plain)
    found = penalty(regularizer, model, batch, terms)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_bag_of_words_reads_the_code_of_a_sentences_unit() -> None:
    model, regularizer, batch = vae(), built("bag_of_words"), random_batch()
    terms = model.terms(batch)
    group = terms.latents[0]
    unit_B = torch.tensor([1, 0, 0, 1, 1])
    shared = replace(terms, latents=(replace(group, z_SUD=group.z_SUD[:, :2], unit_B=unit_B),))
    repeated = replace(terms, latents=(replace(group, z_SUD=group.z_SUD[:, unit_B]),))
    assert torch.equal(penalty(regularizer, model, batch, shared), penalty(regularizer, model, batch, repeated))


def test_bag_of_words_refuses_a_language_model() -> None:
    lm = LanguageModelConfig(decoder=LSTMDecoderConfig(**SMALL)).build(vocab_size=V, max_tokens=9)
    with pytest.raises(ConfigError, match="language model"):
        BagOfWordsConfig().build(vocab_size=V, latent_dim=lm.latent_dim, steps_per_epoch=1, total_steps=1)
