"""What sentences without a label teach a classifier: pseudo-labels, entropy and balance, against their definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.components import SMALL, random_batch, scramble
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import SemiSupervisedConfig, SemiSupervisedTextVAE
from textvae.objectives.schedules import ConstantScheduleConfig, LinearScheduleConfig
from textvae.regularizers import LabelBalanceConfig, LabelEntropyConfig, PseudoLabelsConfig
from textvae.regularizers.base import RegularizerSettings
from textvae.regularizers.pseudo_labels import GrowingConfig, Selection, ThresholdConfig
from textvae.types import Batch

V, C = 11, 3
SELECTIONS = [
    ThresholdConfig(confidence=0.5),
    GrowingConfig(share=ConstantScheduleConfig(weight=0.5)),
    GrowingConfig(share=ConstantScheduleConfig(weight=1.0)),
]


def built(config: RegularizerSettings, total_steps: int = 1) -> torch.nn.Module:
    return config.build(vocab_size=V, latent_dim=2, steps_per_epoch=1, total_steps=total_steps)


def classifier(dropout: float = 0.0) -> SemiSupervisedTextVAE:
    config = SemiSupervisedConfig(
        latent_dim=2,
        encoder=LSTMEncoderConfig(**SMALL),
        decoder=LSTMDecoderConfig(**SMALL),
        classifier_dropout=dropout,
    )
    return scramble(config.build(vocab_size=V, max_tokens=9, label_names=("a", "b", "c")))


def penalty(config: RegularizerSettings, model: SemiSupervisedTextVAE, batch: Batch, step: int = 0) -> torch.Tensor:
    (found_B,) = built(config)(model, batch, model.terms(batch), step).values()
    return found_B


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40), labels=st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_a_selection_takes_likeliest_labels_the_surest_first_and_no_class_too_often(
    seed: int, rows: int, labels: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_prob_BC = torch.randn(rows, labels, generator=generator).mul(2).log_softmax(-1)
    for config in SELECTIONS:
        rule: Selection = config.build(steps_per_epoch=1, total_steps=1)
        taken_BC = rule(log_prob_BC, 0)
        assert taken_BC.sum(-1).max() <= 1
        rows_M, label_M = taken_BC.nonzero(as_tuple=True)
        assert torch.equal(log_prob_BC[rows_M].argmax(-1), label_M)
        for label in range(labels):
            of_label = log_prob_BC[log_prob_BC.argmax(-1) == label, label]
            taken = log_prob_BC[taken_BC[:, label], label]
            # None that is left out is surer than one that is taken.
            assert torch.equal(taken.sort().values, of_label.sort().values[len(of_label) - len(taken) :])
            if isinstance(config, ThresholdConfig):
                assert len(taken) == int((of_label.exp() >= config.confidence).sum())
            else:
                assert len(taken) == min(len(of_label), max(1, round(config.share.weight * rows / labels)))  # type: ignore[union-attr]


def test_the_share_grows_with_the_step() -> None:
    rule = GrowingConfig(share=LinearScheduleConfig(initial=0.1, final=1.0, end=1.0)).build(
        steps_per_epoch=10, total_steps=10
    )
    log_prob_BC = torch.randn(60, 2, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    counts = [int(rule(log_prob_BC, step).sum()) for step in range(11)]
    assert counts == sorted(counts) and counts[0] == 6 and counts[-1] > 50


def test_pseudo_labels_are_the_likeliest_labels_without_dropout_and_leave_the_labelled_alone() -> None:
    model, batch = classifier(dropout=0.5).train(), random_batch()
    config = PseudoLabelsConfig(
        selection=ThresholdConfig(confidence=0.01), augmentations=(), weight=ConstantScheduleConfig(weight=2.0)
    )
    some = replace(batch, label_B=torch.tensor([2, -1, 0, -1, -1]))
    unlabelled = torch.tensor([1, 3, 4])
    model.classifier[0].p = 0.0  # so that both passes are the same
    log_BC = model.label_log_prob(batch)
    expected = 2.0 * -log_BC.max(-1).values[unlabelled].mean()
    assert torch.allclose(penalty(config, model, some), expected.expand(5), atol=1e-6)
    all_given = replace(batch, label_B=torch.zeros(5, dtype=torch.int64))
    none = penalty(config, model, all_given)
    assert torch.equal(none, torch.zeros(5))
    none.sum().backward()
    assert model.training


def test_entropy_and_balance_are_what_they_say() -> None:
    model, batch = classifier(), random_batch()
    prob_BC = model.label_log_prob(batch).exp().detach()
    entropy_B = -(prob_BC * prob_BC.log()).sum(-1)
    weight = ConstantScheduleConfig(weight=3.0)
    assert torch.allclose(penalty(LabelEntropyConfig(weight=weight), model, batch), 3 * entropy_B, atol=1e-5)

    counts = torch.tensor([5.0, 1.0, 2.0])
    model.set_label_prior(counts)
    prior_C, mean_C = (counts + 1) / (counts + 1).sum(), prob_BC.mean(0)
    kl = float((mean_C * (mean_C / prior_C).log()).sum())
    found_B = penalty(LabelBalanceConfig(weight=weight), model, batch)
    assert found_B.tolist() == pytest.approx([3 * kl] * 5, abs=1e-5)


@pytest.mark.parametrize("prior", [(1.0, 1.0, 1.0), (8.0, 2.0, 5.0)])
def test_balance_is_zero_where_the_labels_have_the_prior_and_positive_elsewhere(prior: tuple[float, ...]) -> None:
    model, batch = classifier(), random_batch()
    model.set_label_prior(torch.tensor(prior))
    with torch.no_grad():
        linear = model.classifier[1]
        linear.weight.zero_()
        linear.bias.copy_(model.label_log_prior_C)
        assert penalty(LabelBalanceConfig(), model, batch).abs().max() < 1e-6
        linear.bias.copy_(torch.tensor([math.log(0.98), math.log(0.01), math.log(0.01)]))
        assert penalty(LabelBalanceConfig(), model, batch).min() > 0.1


@pytest.mark.parametrize("config", [PseudoLabelsConfig(), LabelEntropyConfig(), LabelBalanceConfig()])
def test_a_model_without_a_classifier_is_refused_before_training(config: RegularizerSettings) -> None:
    from textvae.config import parse
    from textvae.training import TrainConfig

    with pytest.raises(ConfigError, match=r"for a model with a classifier.*\[classify\]"):
        parse(TrainConfig, {"regularizers": [config.model_dump(mode="json")]}, "recipe")
