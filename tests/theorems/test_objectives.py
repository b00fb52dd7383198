"""Schedules, free bits and the ELBO, against arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from textvae.config import parse
from textvae.distributions import DiagonalGaussian
from textvae.errors import ConfigError
from textvae.objectives import (
    BatchMeanFreeBitsConfig,
    ConstantScheduleConfig,
    CyclicalScheduleConfig,
    ELBOConfig,
    FreeBitsConfig,
    LinearScheduleConfig,
    PerSentenceFreeBitsConfig,
    RateFreeBitsConfig,
    ScheduleConfig,
    SigmoidScheduleConfig,
    TargetFreeBitsConfig,
    local_mean,
)
from textvae.types import LatentGroup, LatentTerms

S, B, D = 3, 6, 4

FREE_BITS = [BatchMeanFreeBitsConfig, PerSentenceFreeBitsConfig, RateFreeBitsConfig, TargetFreeBitsConfig]

SCHEDULES: dict[str, ScheduleConfig] = {
    "constant": ConstantScheduleConfig(weight=0.7),
    "linear-fraction": LinearScheduleConfig(start=0.2, end=0.6),
    "linear-epochs": LinearScheduleConfig(start=1, end=3, unit="epochs"),
    "linear-steps": LinearScheduleConfig(start=0, end=33, unit="steps", initial=0.1),
    "sigmoid": SigmoidScheduleConfig(),
    "cyclical": CyclicalScheduleConfig(),
    "cyclical-no-zero": CyclicalScheduleConfig(cycles=3, zero=0.0, rise=0.5),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_pure_bounded_and_settle(name: str) -> None:
    schedule = SCHEDULES[name].build(steps_per_epoch=50, total_steps=400)
    values = [schedule(step) for step in range(500)]
    assert values == [schedule(step) for step in range(500)]
    assert all(0 <= value <= 1 for value in values)
    settled = schedule.first_final_step
    assert len(set(values[settled:])) == 1
    if settled:
        assert values[settled - 1] != values[settled]


def test_cyclical_returns_to_zero_in_every_cycle() -> None:
    schedule = CyclicalScheduleConfig(cycles=4).build(steps_per_epoch=50, total_steps=400)
    assert [schedule(step) for step in (0, 100, 200, 300)] == [0.0] * 4
    assert [schedule(step) for step in (99, 199, 299, 399)] == [1.0] * 4


def made_terms() -> LatentTerms:
    q = DiagonalGaussian(torch.randn(B, D), torch.rand(B, D) + 0.1)
    p = DiagonalGaussian(torch.zeros(D), torch.ones(D))
    z, log_q = q.rsample_and_log_prob((S,))
    per_dim = q.kl_per_dim(p)
    assert per_dim is not None
    group = LatentGroup("z", q, p, z, log_q, p.log_prob(z), per_dim.sum(-1), per_dim)
    weight = torch.full((S, B), -torch.tensor(float(S)).log().item())
    return LatentTerms(-50 * torch.rand(S, B), weight, torch.full((B,), 5), (group,))


def test_weight_one_is_the_elbo() -> None:
    terms = made_terms()
    out = ELBOConfig().build(steps_per_epoch=1, total_steps=1)(terms, 0)
    expected = -terms.log_px_z_SB.mean(0) + terms.latents[0].kl_U
    torch.testing.assert_close(out.loss_B, expected)


@pytest.mark.parametrize("form", FREE_BITS)
def test_free_bits_at_zero_are_the_elbo(form: type) -> None:
    terms = made_terms()
    free = ELBOConfig(free_bits=form(nats=0)).build(steps_per_epoch=1, total_steps=1)(terms, 0)
    plain = ELBOConfig().build(steps_per_epoch=1, total_steps=1)(terms, 0)
    torch.testing.assert_close(free.loss_B, plain.loss_B)


def test_the_two_free_bits_are_what_the_literature_says() -> None:
    terms, floor = made_terms(), 1.5
    kl = terms.latents[0].kl_per_dim_UD
    assert kl is not None
    objectives = {
        form: ELBOConfig(free_bits=form(nats=floor * D)).build(steps_per_epoch=1, total_steps=1)(terms, 0)
        for form in (BatchMeanFreeBitsConfig, PerSentenceFreeBitsConfig)
    }
    batch_mean = objectives[BatchMeanFreeBitsConfig].metrics_B["kl_penalty"].mean()
    torch.testing.assert_close(batch_mean, kl.mean(0).clamp_min(floor).sum())
    per_sentence = objectives[PerSentenceFreeBitsConfig].metrics_B["kl_penalty"]
    torch.testing.assert_close(per_sentence, kl.clamp_min(floor).sum(-1))
    for out in objectives.values():
        torch.testing.assert_close(out.metrics_B["kl"], kl.sum(-1))
        assert (out.metrics_B["kl_penalty"].mean() > out.metrics_B["kl"].mean()).item()


@pytest.mark.parametrize("form", FREE_BITS)
@pytest.mark.parametrize("nats", [0.0, 3.0, 1000.0])
def test_free_bits_use_the_batch_mean_they_are_given(form: type, nats: float) -> None:
    """Two unequal slices of a batch with the whole batch's mean give the whole batch's penalties."""
    kl = made_terms().latents[0].kl_per_dim_UD
    assert kl is not None
    free: FreeBitsConfig = form(nats=nats)
    whole = free.penalty(kl, local_mean)
    per_dim, total = kl.mean(0), kl.sum(-1).mean(0)
    parts = [free.penalty(part, lambda x: per_dim if x.dim() == 2 else total) for part in kl.split([4, 2])]
    torch.testing.assert_close(whole, torch.cat(parts))


# Rates 1.5 and 4.5 with mean 3; dimensions with means 2 and 1.
RATES = [[0.5, 1.0], [3.5, 1.0]]


@pytest.mark.parametrize(
    ("free", "penalties", "slopes"),
    [
        (RateFreeBitsConfig(nats=2.0), [1.5, 4.5], 1.0),
        (RateFreeBitsConfig(nats=4.0), [4.0, 4.0], 0.0),
        (TargetFreeBitsConfig(nats=2.0), [-0.5, 2.5], 1.0),
        (TargetFreeBitsConfig(nats=4.0), [2.5, -0.5], -1.0),
    ],
)
def test_penalties_on_the_whole_rate_by_hand(free: FreeBitsConfig, penalties: list[float], slopes: float) -> None:
    """Means: max(2, 3) = 3, max(4, 3) = 4, |3 - 2| = 1, |3 - 4| = 1; and the way the gradient points."""
    kl = torch.tensor(RATES, requires_grad=True)
    penalty = free.penalty(kl, local_mean)
    assert penalty.tolist() == penalties
    expected = max(free.nats, 3.0) if free.kind == "rate" else abs(3.0 - free.nats)
    assert penalty.mean().item() == expected
    penalty.sum().backward()
    assert kl.grad is not None and kl.grad.tolist() == [[slopes, slopes]] * 2


@pytest.mark.parametrize("form", FREE_BITS)
@pytest.mark.parametrize("nats", [1.0, 1000.0])
def test_the_raw_kl_is_logged_beside_every_penalty(form: type, nats: float) -> None:
    terms = made_terms()
    out = ELBOConfig(free_bits=form(nats=nats)).build(steps_per_epoch=1, total_steps=1)(terms, 0)
    kl = terms.latents[0].kl_U
    assert kl is not None
    torch.testing.assert_close(out.metrics_B["kl"], kl)
    torch.testing.assert_close(out.loss_B, out.metrics_B["nll"] + out.metrics_B["kl_penalty"])


@pytest.mark.parametrize("form", FREE_BITS)
def test_only_penalties_on_the_whole_rate_do_without_a_kl_of_each_dimension(form: type) -> None:
    terms = made_terms()
    group = replace(terms.latents[0], kl_per_dim_UD=None)
    objective = ELBOConfig(free_bits=form(nats=2.0)).build(steps_per_epoch=1, total_steps=1)
    if form in (RateFreeBitsConfig, TargetFreeBitsConfig):
        expected = objective(terms, 0).loss_B
        torch.testing.assert_close(objective(replace(terms, latents=(group,)), 0).loss_B, expected)
    else:
        with pytest.raises(ConfigError, match="'rate' or 'target'"):
            objective(replace(terms, latents=(group,)), 0)


def test_below_the_floor_there_is_no_gradient_and_above_it_is_whole() -> None:
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]], requires_grad=True)
    BatchMeanFreeBitsConfig(nats=2.0).penalty(kl, lambda x: x.mean(0)).sum().backward()
    assert kl.grad is not None and kl.grad.tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_schedules_refuse_what_makes_no_sense() -> None:
    for data in (
        {"kind": "linear", "start": 0.5, "end": 0.1},
        {"kind": "cyclical", "zero": 0.8, "rise": 0.4},
        {"kind": "linaer"},
        {"kind": "constant", "wieght": 1.0},
    ):
        with pytest.raises(ConfigError):
            parse(ScheduleConfig, data, "a test")
