"""Floors under the KL that hold by arithmetic: batch-normalized means and committed rates (oracle O16)."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import lambertw
from torch import Tensor, nn

from tests.components import SMALL, random_batch, scramble
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.layers import FixedScaleBatchNorm
from textvae.models import SemiSupervisedConfig, SemiSupervisedTextVAE
from textvae.posteriors import BatchNormConfig, GaussianPosterior, GaussianPosteriorConfig
from textvae.posteriors.gaussian import largest_log_scale
from textvae.priors import StandardNormalPriorConfig
from textvae.types import Batch

B, D, H = 16, 5, 7
GAMMA = 0.7


def normalized(labels: int = 0, **settings: float) -> GaussianPosterior:
    config = GaussianPosteriorConfig(batch_norm=BatchNormConfig(scale=GAMMA), **settings)
    posterior = config.build(feature_dim=H, latent_dim=D, num_labels=labels)
    scramble(posterior)
    return posterior


def kl(posterior: GaussianPosterior, features: Tensor) -> Tensor:
    per_dim = posterior(features).kl_per_dim(StandardNormalPriorConfig().build(latent_dim=D)())
    assert per_dim is not None
    return per_dim


def shift_of(posterior: GaussianPosterior) -> Tensor:
    assert posterior.normalize is not None
    return posterior.normalize.shift_D.detach()


# ------------------------------------------------------------------ batch normalization


def test_second_moment_of_the_means_is_gamma_squared_plus_shift_squared() -> None:
    posterior = normalized().double()
    features = 3.0 * torch.randn(B, H).double() + 1.0
    mean = posterior(features).mean
    torch.testing.assert_close(mean.mean(0), shift_of(posterior))
    before = posterior.parameters_of(features)[:, :D].var(0, unbiased=False)
    spread = GAMMA**2 * before / (before + 1e-5)
    torch.testing.assert_close(mean.square().mean(0), spread + shift_of(posterior).square())
    torch.testing.assert_close(spread, torch.full_like(spread, GAMMA**2), rtol=1e-4, atol=0)


def test_it_is_torchs_batch_norm_with_a_frozen_weight() -> None:
    ours, theirs = scramble(FixedScaleBatchNorm(D, scale=GAMMA)), nn.BatchNorm1d(D)
    with torch.no_grad():
        theirs.weight.fill_(GAMMA)
        theirs.bias.copy_(ours.shift_D)  # type: ignore[arg-type]
    for _ in range(3):
        x = 2.0 * torch.randn(B, D) + 1.0
        torch.testing.assert_close(ours(x), theirs(x))
    x = torch.randn(4, D)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_the_mean_kl_has_a_floor_that_training_cannot_pass() -> None:
    """300 steps of gradient descent on the KL alone, from a random start: it ends on the floor, never below.

    Adam does find the one way out, a variance before normalization as small as the 1e-5 beside it, and gets 0.3 % of
    the floor by it; so the floor is reckoned with that variance.
    """
    posterior, features = normalized(), torch.randn(B, H)
    optimizer = torch.optim.Adam(posterior.parameters(), lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        value = kl(posterior, features).sum(-1).mean()
        before = posterior.parameters_of(features)[:, :D].detach().var(0, unbiased=False)
        floor = 0.5 * (GAMMA**2 * before / (before + 1e-5) + shift_of(posterior).square()).sum().item()
        assert value.item() > floor * (1 - 1e-5)
        value.backward()
        optimizer.step()
    assert posterior.normalize is not None and posterior.normalize.scale == GAMMA
    assert value.item() == pytest.approx(0.5 * D * GAMMA**2, rel=0.02)
    assert len(list(posterior.parameters())) == 3, "weight, bias and shift: gamma is not among them"


def test_without_it_the_same_training_collapses() -> None:
    posterior = GaussianPosteriorConfig().build(feature_dim=H, latent_dim=D)
    scramble(posterior)
    features = torch.randn(B, H)
    optimizer = torch.optim.Adam(posterior.parameters(), lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        kl(posterior, features).sum(-1).mean().backward()
        optimizer.step()
    assert kl(posterior, features).sum(-1).mean().item() < 0.1 * 0.5 * D * GAMMA**2


def test_in_evaluation_a_sentence_does_not_see_its_batch() -> None:
    posterior, features = normalized(), torch.randn(B, H)
    for _ in range(100):
        posterior(features)
    in_training = posterior(features).mean
    together = posterior.eval()(features).mean
    alone = torch.cat([posterior(features[row : row + 1]).mean for row in range(B)])
    torch.testing.assert_close(together, alone)
    # The running variance is that of the population, B / (B - 1) times the batch's.
    shift = shift_of(posterior)
    torch.testing.assert_close((together - shift) * math.sqrt(B / (B - 1)), in_training - shift, rtol=1e-3, atol=1e-3)


def test_a_single_sentence_in_training_takes_the_running_statistics() -> None:
    posterior, features = normalized(), torch.randn(B, H)
    fresh = posterior(features[:1])  # before any batch was seen
    assert torch.isfinite(fresh.mean).all()
    for _ in range(5):
        posterior(features)
    kept = {name: value.clone() for name, value in posterior.named_buffers()}
    alone = posterior(features[:1]).mean
    alone.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in posterior.parameters() if p.grad is not None)
    assert all(torch.equal(value, kept[name]) for name, value in posterior.named_buffers())
    torch.testing.assert_close(alone, posterior.eval()(features[:1]).mean)


class TestLabels:
    @staticmethod
    def model() -> SemiSupervisedTextVAE:
        config = SemiSupervisedConfig(
            latent_dim=3,
            encoder=LSTMEncoderConfig(**SMALL),
            decoder=LSTMDecoderConfig(**SMALL),
            posterior=GaussianPosteriorConfig(batch_norm=BatchNormConfig(scale=GAMMA)),
        )
        model = config.build(vocab_size=11, max_tokens=9, label_names=("a", "b", "c"))
        assert isinstance(scramble(model), SemiSupervisedTextVAE)
        return model

    def test_means_of_each_label_have_the_spread_and_differ_by_its_shift(self) -> None:
        model = self.model()
        terms = model.terms(random_batch(sentences=8))
        mean_CBD = terms.latents[0].posterior.mean
        posterior = model.posterior
        assert isinstance(posterior, GaussianPosterior) and posterior.label is not None
        spread = mean_CBD.var(1, unbiased=False)
        torch.testing.assert_close(spread, torch.full_like(spread, GAMMA**2), rtol=1e-2, atol=0)
        expected = shift_of(posterior) + posterior.label.weight[:, :3]
        torch.testing.assert_close(mean_CBD.mean(1), expected)
        (-terms.log_px_z_SB).sum().backward()

    @pytest.mark.parametrize("label", [-1, 2])
    def test_one_sentence_repeated_for_its_labels_is_one_sentence(self, label: int) -> None:
        model, batch = self.model(), random_batch(sentences=1)
        model.terms(random_batch(sentences=8))
        kept = {name: value.clone() for name, value in model.posterior.named_buffers()}
        terms = model.terms(Batch(batch.tokens_BT, batch.lengths_B, torch.tensor([label])))
        kl_U = terms.latents[0].kl_U
        assert kl_U is not None
        (kl_U - terms.log_px_z_SB.mean(0)).sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        assert all(torch.equal(value, kept[name]) for name, value in model.posterior.named_buffers())


# ------------------------------------------------------------------ committed rates


@pytest.mark.parametrize("nats", [1e-6, 0.01, 0.25, 1.0, 5.0, 40.0])
def test_the_largest_scale_agrees_with_lamberts_function(nats: float) -> None:
    """s^2 exp(-s^2) = exp(-1 - 2 nats), so s^2 = -W(-exp(-1 - 2 nats)) on the principal branch."""
    # Near its branch point W itself has only half the digits.
    exact = math.sqrt(-lambertw(-math.exp(-1.0 - 2.0 * nats)).real)
    assert math.exp(largest_log_scale(nats)) == pytest.approx(exact, rel=1e-9 if nats > 0.005 else 1e-6)


def committed(nats: float) -> GaussianPosterior:
    return GaussianPosteriorConfig(committed_rate=nats).build(feature_dim=H, latent_dim=D)


@pytest.mark.parametrize("nats", [0.1, 3.0, 15.0])
@pytest.mark.parametrize("size", [0.0, 1.0, 100.0])
def test_a_committed_rate_holds_whatever_the_encoder_says(nats: float, size: float) -> None:
    posterior = committed(nats).double()
    scramble(posterior, scale=2.0)
    features = size * torch.randn(200, H).double()
    assert kl(posterior, features).sum(-1).min().item() >= nats * (1 - 1e-9)


@pytest.mark.parametrize("nats", [0.1, 3.0, 15.0])
def test_a_committed_rate_is_reached_and_no_more(nats: float) -> None:
    posterior = committed(nats).double()
    with torch.no_grad():
        posterior.parameters_of.weight.zero_()
        posterior.parameters_of.bias.zero_()
        posterior.parameters_of.bias[D:] = 30.0
    value = kl(posterior, torch.zeros(2, H).double()).sum(-1)
    torch.testing.assert_close(value, torch.full_like(value, nats))


def test_the_gradient_flows_above_the_bound() -> None:
    """An encoder that asks for scales far too large is still told to change, and its KL falls to the floor."""
    posterior, features = committed(3.0), torch.randn(B, H)
    with torch.no_grad():
        posterior.parameters_of.bias[D:] = 4.0
    posterior(features).stddev.sum().backward()
    gradient = posterior.parameters_of.bias.grad
    assert gradient is not None and (gradient[D:] > 0).all()
    optimizer = torch.optim.Adam(posterior.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        value = kl(posterior, features).sum(-1).mean()
        value.backward()
        optimizer.step()
    assert 3.0 <= value.item() < 3.1


def test_both_floors_add_up() -> None:
    posterior = normalized(committed_rate=2.0)
    value = kl(posterior, torch.randn(B, H)).sum(-1).mean().item()
    assert value > (2.0 + 0.5 * D * GAMMA**2) * (1 - 1e-4)


def test_a_rate_that_scales_cannot_carry_is_refused() -> None:
    with pytest.raises(ConfigError, match="min_scale"):
        committed(10_000.0)
