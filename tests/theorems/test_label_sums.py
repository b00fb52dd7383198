"""Sums over labels (oracle O8): what is drawn has the right value and gradient in expectation, or the stated bias."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.components import LABEL_SUMS, random_batch, scramble
from textvae.errors import ConfigError
from textvae.label_sums import (
    EnumerateConfig,
    LabelSum,
    LabelSumSettings,
    RenormalizedConfig,
    ScoreFunctionConfig,
    WithoutReplacementConfig,
)
from textvae.models import SemiSupervisedConfig, SemiSupervisedTextVAE
from textvae.objectives import ELBOConfig, IWAEConfig
from textvae.training.config import require_summed_labels

LOSSES, LOGITS = (3.0, 5.0, 4.0, 9.0), (0.2, -0.4, 1.0, -1.0)
EXACT, EXACT_GRADIENT = 4.26, (-0.309, 0.100, -0.141, 0.350)
BIASED, BIASED_GRADIENT = 4.03, (-0.185, 0.056, -0.008, 0.136)
"""The constants of the oracle: value and gradient in the logits of sum_y q(y) L(y), and of the renormalized sum."""
DRAWS = 100_000
UNBIASED = [name for name in LABEL_SUMS if LABEL_SUMS[name].unbiased]


def losses_and_gradients(
    of: LabelSum, losses: tuple[float, ...], logits: tuple[float, ...], draws: int = DRAWS, tokens: int = 1
) -> tuple[Tensor, Tensor]:
    """The estimated loss of each of many draws, [draws], and its gradient in the logits, [draws, C]."""
    leaf = torch.tensor(logits, dtype=torch.float64).repeat(draws, 1).requires_grad_()
    chosen = of(leaf.log_softmax(-1))
    loss_LB = torch.tensor(losses, dtype=torch.float64)[chosen.label_LB]
    weight_LB = chosen.log_weight_LB.exp()
    loss_B = (weight_LB * loss_LB).sum(0)
    b = of.baseline(chosen, loss_LB, torch.full((draws,), tokens))
    if b is not None:
        assert not b.requires_grad
        loss_B = loss_B + b * (1.0 - weight_LB.sum(0))
    (gradient,) = torch.autograd.grad(loss_B.sum(), leaf)
    return loss_B.detach(), gradient


def exact(losses: tuple[float, ...], logits: tuple[float, ...]) -> tuple[float, Tensor]:
    leaf = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = (leaf.softmax(0) * torch.tensor(losses, dtype=torch.float64)).sum()
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.item(), gradient


def test_the_oracles_constants() -> None:
    value, gradient = exact(LOSSES, LOGITS)
    assert value == pytest.approx(EXACT, abs=0.005)
    torch.testing.assert_close(gradient, torch.tensor(EXACT_GRADIENT).double(), rtol=0, atol=6e-4)


@pytest.mark.parametrize("name", UNBIASED)
@pytest.mark.parametrize("case", ["oracle", "unsure", "sure"])
def test_value_and_gradient_are_right_in_expectation(name: str, case: str) -> None:
    """Each within 4 standard errors of enumeration over 100 000 draws, but for the sum that says it is biased."""
    settings = LABEL_SUMS[name]
    losses, logits = {
        "oracle": (LOSSES, LOGITS),
        "unsure": (tuple(range(12)), (0.0,) * 12),
        "sure": ((1.0, 50.0, 30.0, 2.0, 9.0, 40.0, 7.0, 7.0, 3.0, 8.0), (6.0, *[0.0] * 9)),
    }[case]
    torch.manual_seed(0)
    value, gradient = exact(losses, logits)
    found, gradients = losses_and_gradients(settings.build().eval(), losses, logits)
    for mean, sd, truth in [
        (found.mean(0), found.std(0), torch.tensor(value, dtype=torch.float64)),
        (gradients.mean(0), gradients.std(0), gradient),
    ]:
        assert ((mean - truth).abs() <= 4 * sd / DRAWS**0.5 + 1e-9).all()


def test_the_renormalized_sum_has_the_stated_bias() -> None:
    """By enumeration of all ordered pairs, and by its own draws within 4 standard errors."""
    leaf = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    q, losses = leaf.softmax(0), torch.tensor(LOSSES, dtype=torch.float64)
    value, gradient = 0.0, torch.zeros(4, dtype=torch.float64)
    for first, second in itertools.permutations(range(4), 2):
        chance = (q[first] * q[second] / (1 - q[first])).item()
        pair = torch.stack([q[first], q[second]])
        loss = (pair / pair.sum() * losses[[first, second]]).sum()
        (of_pair,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        value, gradient = value + chance * loss.item(), gradient + chance * of_pair
    assert value == pytest.approx(BIASED, abs=0.005)
    torch.testing.assert_close(gradient, torch.tensor(BIASED_GRADIENT).double(), rtol=0, atol=6e-4)
    torch.manual_seed(0)
    found, gradients = losses_and_gradients(RenormalizedConfig().build(), LOSSES, LOGITS)
    assert abs(found.mean().item() - value) < 4 * found.std().item() / DRAWS**0.5
    assert ((gradients.mean(0) - gradient).abs() < 4 * gradients.std(0) / DRAWS**0.5).all()


@pytest.mark.parametrize("name", [name for name in LABEL_SUMS if LABEL_SUMS[name].is_exact(1)])
def test_a_sum_that_is_exact_is_the_enumeration(name: str) -> None:
    """For as many labels as a sum says it can enumerate, every draw has the exact value and gradient."""
    settings = LABEL_SUMS[name]
    counts = [labels for labels in (1, 2, 4) if settings.is_exact(labels)]
    for labels in counts:
        value, gradient = exact(LOSSES[:labels], LOGITS[:labels])
        found, gradients = losses_and_gradients(settings.build(), LOSSES[:labels], LOGITS[:labels], draws=7)
        torch.testing.assert_close(found, torch.full((7,), value, dtype=torch.float64))
        torch.testing.assert_close(gradients, gradient.expand(7, labels))


def test_a_baseline_takes_noise_away() -> None:
    """S1 with a baseline near the loss is quieter than without one, and without replacement quieter than both."""
    torch.manual_seed(0)
    losses = tuple(50.0 + loss for loss in LOSSES)

    def noise(settings: LabelSumSettings, tokens: int = 10) -> float:
        _, gradients = losses_and_gradients(settings.build().eval(), losses, LOGITS, tokens=tokens)
        return gradients.var(0).sum().item()

    none = noise(ScoreFunctionConfig(start=0.0))
    with_one = noise(ScoreFunctionConfig(start=5.4))
    assert with_one < 0.01 * none
    assert noise(WithoutReplacementConfig(labels=2)) < 0.7 * with_one
    assert noise(WithoutReplacementConfig(labels=3)) < noise(WithoutReplacementConfig(labels=2))


def test_the_baseline_of_the_score_function_follows_the_loss_of_a_token() -> None:
    found = ScoreFunctionConfig(decay=0.5, start=5.5).build().train()
    chosen = found(torch.zeros(4, 3).log_softmax(-1))
    loss_LB, tokens_B = torch.full((1, 4), 24.0), torch.full((4,), 8)
    assert found.baseline(chosen, loss_LB, tokens_B).tolist() == [44.0] * 4, "as it was before the batch"
    assert found.baseline(chosen, loss_LB, tokens_B).tolist() == [(5.5 + 3.0) / 2 * 8] * 4
    found.eval()
    before = found.per_token.clone()
    found.baseline(chosen, loss_LB, tokens_B)
    assert torch.equal(found.per_token, before)


def built(labels: int, **settings: Any) -> SemiSupervisedTextVAE:
    config = SemiSupervisedConfig.model_validate({"latent_dim": 2, **settings})
    torch.manual_seed(0)
    names = tuple(f"label {number}" for number in range(labels))
    model = scramble(config.build(vocab_size=11, max_tokens=9, label_names=names), scale=0.3).eval()
    assert isinstance(model, SemiSupervisedTextVAE)
    return model


def bound(model: SemiSupervisedTextVAE, batch: Any, samples: int) -> Tensor:
    torch.manual_seed(1)
    return ELBOConfig().build(steps_per_epoch=1, total_steps=1)(model.terms(batch, samples), 0).loss_B  # type: ignore[operator]


@pytest.mark.parametrize("name", UNBIASED)
def test_a_models_bound_and_its_gradient_do_not_depend_on_what_is_drawn(name: str) -> None:
    """One sentence without a label, 1500 copies: within 4 standard errors of the sum over all seven labels."""
    batch = random_batch(1).unlabelled().repeat(1500)
    found = {}
    for which in ("enumerate", name):
        model = built(7, label_sum=LABEL_SUMS[which])
        loss_B = bound(model, batch, 1)
        bias = model.classifier[1].bias
        rows = [torch.autograd.grad(part.mean(), bias, retain_graph=True)[0] for part in loss_B.chunk(30)]
        found[which] = (loss_B.detach(), torch.stack(rows))
    (exact_B, exact_rows), (mine_B, mine_rows) = found["enumerate"], found[name]
    error = (exact_B.var() / len(exact_B) + mine_B.var() / len(mine_B)) ** 0.5
    assert (exact_B.mean() - mine_B.mean()).abs() <= 4 * error
    errors = ((exact_rows.var(0) + mine_rows.var(0)) / 30) ** 0.5
    assert ((exact_rows.mean(0) - mine_rows.mean(0)).abs() <= 4 * errors).all()


@pytest.mark.parametrize("name", LABEL_SUMS)
def test_with_all_labels_given_nothing_is_drawn(name: str) -> None:
    """The bound is that of log p(x, y): under every sum within 4 standard errors, and without a gradient in q(y|x)."""
    batch = random_batch(6, labels=7).repeat(400)
    found = []
    for which in ("enumerate", name):
        model = built(7, label_sum=LABEL_SUMS[which])
        loss_B = bound(model, batch, 1)
        (gradient,) = torch.autograd.grad(loss_B.sum(), model.classifier[1].bias, allow_unused=True)
        assert gradient is None or not gradient.any()
        found.append(loss_B.detach().view(400, 6))
    error = ((found[0].var(0) + found[1].var(0)) / 400) ** 0.5
    assert ((found[0].mean(0) - found[1].mean(0)).abs() <= 4 * error).all()


def test_what_is_summed_by_default() -> None:
    config = SemiSupervisedConfig()
    assert [config.label_sum_of(labels).kind for labels in (2, 32, 33)] == ["enumerate"] * 2 + ["without_replacement"]
    assert not config.draws_labels(32) and config.draws_labels(33)
    terms = built(40).terms(random_batch(5).unlabelled())
    assert terms.log_px_z_SB.shape == (8, 5) and terms.baseline_B is not None
    assert built(5).terms(random_batch(5).unlabelled()).baseline_B is None


def test_an_objective_that_is_no_expectation_is_refused_where_labels_are_drawn() -> None:
    config = SemiSupervisedConfig()
    require_summed_labels(IWAEConfig(gradient="plain"), config, 32)
    require_summed_labels(ELBOConfig(), config, 33)
    with pytest.raises(ConfigError, match=r"of 33 labels some are drawn.*enumerate"):
        require_summed_labels(IWAEConfig(gradient="plain"), config, 33)
    exactly = SemiSupervisedConfig(label_sum=EnumerateConfig())
    require_summed_labels(IWAEConfig(gradient="plain"), exactly, 33)
