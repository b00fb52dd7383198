"""Consistency (oracle of C5): nothing changed costs nothing, closed forms equal Monte Carlo, and the order matters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.distributions import kl_divergence

from tests.components import EXTENDED, POSTERIORS, WITHOUT_DENSITY, prior_beside, random_batch, scramble
from textvae.augmentations import MaskingConfig
from textvae.errors import ConfigError
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, TextModel, TextVAEConfig
from textvae.objectives import ELBOConfig
from textvae.regularizers import ConsistencyConfig, ConsistencyLoss
from textvae.types import Batch

NOTHING = ConsistencyConfig(augmentations=(MaskingConfig(rate=0.0),))


def classifier() -> TextModel:
    torch.manual_seed(0)
    config = SemiSupervisedConfig(latent_dim=3, classifier_dropout=0.0)
    return scramble(config.build(vocab_size=11, max_tokens=9, label_names=("a", "b", "c"))).eval()  # type: ignore[return-value]


def changed(batch: Batch) -> Batch:
    """The first word becomes another one."""
    tokens_BT = batch.tokens_BT.clone()
    tokens_BT[:, 1] = torch.where(tokens_BT[:, 1] == 9, 8, 9)
    return replace(batch, tokens_BT=tokens_BT)


@pytest.mark.parametrize("posterior", [name for name in POSTERIORS if name not in WITHOUT_DENSITY | EXTENDED])
def test_nothing_changed_costs_nothing(posterior: str) -> None:
    """With an exact KL the penalty is exactly 0; by a sample it is the log-ratio of two equal densities, 0 too."""
    torch.manual_seed(0)
    config = TextVAEConfig(latent_dim=4, posterior=POSTERIORS[posterior], prior={"kind": prior_beside(posterior)})
    model = scramble(config.build(vocab_size=11, max_tokens=9), scale=0.3).eval()
    batch = random_batch()
    found = ConsistencyLoss(NOTHING)(model, batch, model.terms(batch), 0)  # type: ignore[operator]
    torch.testing.assert_close(found["consistency_z"], torch.zeros(len(batch)), rtol=0, atol=1e-3)


def test_nothing_changed_is_twice_the_bound() -> None:
    model, batch = classifier(), random_batch().unlabelled()
    torch.manual_seed(0)
    loss_B = ELBOConfig().build(steps_per_epoch=1, total_steps=1)(model.terms(batch), 0).loss_B
    terms = model.terms(batch)
    torch.manual_seed(0)
    found = ConsistencyLoss(NOTHING, augmentation=lambda given: given)(model, batch, terms, 0)
    assert not found["consistency_label"].any() and not found["consistency_z"].any()
    torch.testing.assert_close(found["changed_bound"], loss_B)


def test_the_penalties_are_what_they_say() -> None:
    """KL(q(z|changed) || q(z|x)) against Monte Carlo, in this order; KL(q(y|x) || q(y|changed)) by its sum."""
    model, batch = classifier(), random_batch().unlabelled()
    config = ConsistencyConfig(code_weight=0.5, label_weight=2.0)
    found = ConsistencyLoss(config, augmentation=changed)(model, batch, model.terms(batch), 0)
    here, there = model.posterior_of(batch), model.posterior_of(changed(batch))
    torch.manual_seed(0)
    z_SBD = there.sample(torch.Size((100_000,)))
    ratio_SB = there.log_prob(z_SBD) - here.log_prob(z_SBD)
    error_B = 4 * ratio_SB.std(0) / 100_000**0.5
    assert ((found["consistency_z"] / 0.5 - ratio_SB.mean(0)).abs() < error_B + 1e-4).all()
    assert not torch.allclose(found["consistency_z"] / 0.5, kl_divergence(here, there), rtol=0.01)
    whole, other = model.label_log_prob(batch), model.label_log_prob(changed(batch))
    torch.testing.assert_close(found["consistency_label"], 2.0 * (whole.exp() * (whole - other)).sum(-1))


def test_the_whole_sentence_teaches_and_does_not_learn() -> None:
    """The label's penalty has the gradient of the changed copy alone."""
    model, batch = classifier(), random_batch().unlabelled()
    config = ConsistencyConfig(code_weight=0.0, bound_weight=0.0)
    bias = model.classifier[1].bias  # type: ignore[union-attr,index]
    penalty_B = ConsistencyLoss(config, augmentation=changed)(model, batch, model.terms(batch), 0)["consistency_label"]
    (found,) = torch.autograd.grad(penalty_B.sum(), bias)
    target = model.label_log_prob(batch).exp().detach()
    (expected,) = torch.autograd.grad(-(target * model.label_log_prob(changed(batch))).sum(), bias)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_model_without_codes_is_refused() -> None:
    model = LanguageModelConfig().build(vocab_size=11, max_tokens=9)
    batch = random_batch()
    with pytest.raises(ConfigError, match="compares densities of codes"):
        ConsistencyLoss(NOTHING)(model, batch, model.terms(batch), 0)
