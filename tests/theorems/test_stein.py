"""Card A7: codes that follow Stein's gradient, where the posterior is known (O1) and in text models."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.components import DECODERS, SMALL, random_batch, scramble
from tests.oracles import linear_gaussian as oracle
from textvae.distributions import Pushforward
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.evaluation import AISConfig, annealed_likelihood
from textvae.layers import sentence_keys
from textvae.models import LogJoint, TextVAE, TextVAEConfig
from textvae.models.log_joint import seeing_target
from textvae.models.text_vae import scored_group
from textvae.objectives import ELBOConfig, SteinConfig
from textvae.posteriors import Refined, SteinPosterior, SteinPosteriorConfig
from textvae.samplers import density_of, stein_direction, svgd
from textvae.types import Batch, LatentTerms

F64 = torch.float64
BUILD = {"steps_per_epoch": 1, "total_steps": 1}


class NormalTarget:
    """log p(x, z) of N(1, 2^2) in every dimension, whatever the sentence; the constant is left out."""

    def __call__(self, z_SBD: Tensor) -> Tensor:
        return -0.5 * ((z_SBD - 1.0) / 2.0).square().sum(-1)

    def value_and_grad(self, z_SBD: Tensor, create_graph: bool = False) -> tuple[Tensor, Tensor]:
        return self(z_SBD), -(z_SBD - 1.0) / 4.0

    def rows(self, index_N: Tensor) -> NormalTarget:
        return self


class Centered(NormalTarget):
    """The same of N(0, diag(scale^2))."""

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale

    def __call__(self, z_SBD: Tensor) -> Tensor:
        return -0.5 * (z_SBD / self.scale).square().sum(-1)

    def value_and_grad(self, z_SBD: Tensor, create_graph: bool = False) -> tuple[Tensor, Tensor]:
        return self(z_SBD), -z_SBD / self.scale.square()


def built(feature_dim: int, latent_dim: int, **settings: Any) -> SteinPosterior:
    config = SteinPosteriorConfig(**{"hidden_dim": 16, **settings})
    return config.build(feature_dim=feature_dim, latent_dim=latent_dim).double()


def refined(model: TextVAE, batch: Batch) -> Refined:
    """q(z|x) as `TextVAE.terms` forms it."""
    start = model.posterior(model.encoder(batch.tokens_BT, batch.lengths_B))
    return seeing_target(model.posterior, start, model.decoder, model.prior_of(batch), batch.tokens_BT)


def trained(posterior: SteinPosterior, x_BX: Tensor, log_joint: Any, key_B: Tensor, steps: int) -> None:
    """Adam on the surrogate alone, its rate falling to zero over the second half."""
    optimizer = torch.optim.Adam(posterior.parameters(), lr=0.02)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.02 * min(1.0, 2.0 * (1.0 - step / steps))
        found = posterior.refine(posterior(x_BX), log_joint, key_B)
        assert found.surrogate_B is not None
        optimizer.zero_grad()
        (-found.surrogate_B.mean()).backward()
        optimizer.step()


class TestNormalTarget:
    def test_particles_of_the_distribution_find_the_oracle(self) -> None:
        """60 particles on N(1, 2^2): mean .99989, deviation 1.943, the small loss of a finite number (5 %)."""
        posterior, target = built(2, 1), NormalTarget()
        start = posterior(torch.randn(3, 2, dtype=F64)).rsample((60,)).detach()
        found = svgd(density_of(target), start, steps=400, step_size=0.3)
        torch.testing.assert_close(found.mean(0), torch.full((3, 1), 0.99989, dtype=F64), rtol=0, atol=0.01)
        assert ((found.std(0) - 1.943).abs() < 0.05 * 1.943).all()

    @pytest.mark.parametrize(("own", "low", "high"), [(False, 1.85, 2.05), (True, 1.2, 1.6)])
    def test_a_network_learns_to_make_them(self, own: bool, low: float, high: float) -> None:
        """Ten fresh particles a step: the deviation is 2, or far too small where each feels its own gradient too."""
        posterior, x = built(2, 1, own_gradient=own), torch.zeros(16, 2, dtype=F64)
        trained(posterior, x, NormalTarget(), torch.zeros(len(x)).long(), 500)
        with torch.no_grad():
            z = posterior(x[:1]).rsample((50_000,))
        assert abs(z.mean().item() - 1.0) < 0.1
        assert low < z.std().item() < high, z.std()

    @pytest.mark.parametrize("own", [False, True])
    def test_ten_particles_fill_sixteen_dimensions(self, own: bool) -> None:
        """Deviations from .2 to 1: codes have them to a tenth on average, and at most two thirds with own gradients."""
        scale, posterior = torch.linspace(0.2, 1.0, 16, dtype=F64), built(2, 16, own_gradient=own)
        trained(posterior, torch.zeros(16, 2, dtype=F64), Centered(scale), torch.zeros(16).long(), 500)
        with torch.no_grad():
            ratio = posterior(torch.zeros(1, 2, dtype=F64)).rsample((20_000,))[:, 0].std(0) / scale
        if own:
            assert ratio.max() < 0.66, ratio
        else:
            assert (ratio - 1.0).abs().mean() < 0.1 and ratio.min() > 0.6, ratio

    def test_independent_draws_of_the_target_stay_where_they_are(self) -> None:
        """Stein's identity: E[phi(z) z] = 0 for sets of 5 draws of N(0, 1), and -1/5 where each feels its own gradient.

        40 000 sets, fixed bandwidth, within 4 standard errors.
        """
        z = torch.randn(5, 40_000, 1, dtype=F64)
        for own, expected in ((False, 0.0), (True, -0.2)):
            found = (stein_direction(z, -z, bandwidth=1.5, own_gradient=own) * z).mean((0, 2))
            assert abs(found.mean().item() - expected) < 4 * found.std().item() / len(found) ** 0.5


def discrepancy(z_ND: Tensor, score_ND: Tensor) -> float:
    """The squared kernel Stein discrepancy by its U-statistic, with k(a, b) = (1 + |a - b|^2)^(-1/2).

    Gorham & Mackey 2017 (arXiv 1703.01717): zero in expectation for draws of the density whose score it is.
    """
    n, dim = z_ND.shape
    gap = z_ND.unsqueeze(1) - z_ND.unsqueeze(0)
    base = 1.0 + gap.square().sum(-1)
    by_first = -base.pow(-1.5).unsqueeze(-1) * gap
    trace = dim * base.pow(-1.5) - 3.0 * (base - 1.0) * base.pow(-2.5)
    first, second = score_ND.unsqueeze(1), score_ND.unsqueeze(0)
    found = (first * second).sum(-1) * base.pow(-0.5) + (second * by_first - first * by_first).sum(-1) + trace
    return float((found.sum() - found.diagonal().sum()) / (n * (n - 1)))


class ImplicitModel(oracle.LinearGaussianModel):
    """O1 with a posterior that has no density."""

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        posterior = self.posterior_of(batch)
        z_SBD, log_q_SB, log_weight_SB = posterior.weighted_samples(num_samples)
        group = scored_group("z", posterior, self.prior(), z_SBD, log_q_SB)
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD)
        return LatentTerms(log_px_z_SB, log_weight_SB, batch.lengths_B - 1, (group,))


@pytest.fixture(scope="module")
def linear() -> tuple[ImplicitModel, list[float]]:
    """O1 on 64 observations after 600 steps of its posterior, and the discrepancies before, half-way and after."""
    torch.manual_seed(0)
    model = ImplicitModel(oracle.LinearGaussianModel().sample(64), built(4, 2))
    batch = model.batch()
    log_joint, exact = LogJoint(model.decoder, model.prior(), batch.tokens_BT), model.exact_posterior()
    found = []
    for steps in (0, 60, 540):
        trained(model.posterior, model.x_NX, log_joint, sentence_keys(batch.tokens_BT), steps)  # type: ignore[arg-type]
        with torch.no_grad():
            z_SBD = model.posterior_of(batch).rsample((300,))
            score = -((z_SBD - exact.mean).unsqueeze(-2) @ exact.precision_matrix).squeeze(-2)
            found.append(sum(discrepancy(z_SBD[:, row], score[:, row]) for row in range(0, 64, 8)) / 8)
    return model, found


class TestLinearGaussian:
    """O1: ten particles for each of 64 observations, of which each posterior is known."""

    def test_codes_are_those_of_the_exact_posterior(self, linear: tuple[ImplicitModel, list[float]]) -> None:
        model, exact = linear[0], linear[0].exact_posterior()
        with torch.no_grad():
            z_SBD = model.posterior_of(model.batch()).rsample((20_000,))
            away_SBD = z_SBD - z_SBD.mean(0)
            covariance = (away_SBD.unsqueeze(-1) * away_SBD.unsqueeze(-2)).mean((0, 1))
        shift = (z_SBD.mean(0) - exact.mean) / exact.stddev
        assert shift.square().mean().sqrt() < 0.06
        torch.testing.assert_close(covariance, torch.tensor(oracle.POSTERIOR_COV, dtype=F64), rtol=0.1, atol=0.008)

    def test_the_kernel_stein_discrepancy_falls(self, linear: tuple[ImplicitModel, list[float]]) -> None:
        before, between, after = linear[1]
        assert before > 10 * between > 0 and abs(after) < 0.1 * between

    def test_the_proxy_bounds_the_likelihood(self, linear: tuple[ImplicitModel, list[float]]) -> None:
        """Its ELBO is below log p(x), nearly as near as that of the best diagonal Gaussian, .00941 nats."""
        model = linear[0]
        q = model.posterior_of(model.batch()).proposal
        with torch.no_grad():
            z, log_q = q.rsample_and_log_prob((4000,))
            gap_B = model.exact_log_p() - (model.log_joint(z, model.batch()) - log_q).mean(0)
        error = gap_B.std().item() / 8
        assert oracle.BEST_DIAGONAL_GAP - 4 * error < gap_B.mean() < oracle.BEST_DIAGONAL_GAP + 0.02

    def test_annealing_starts_from_the_proxy_and_finds_log_p(self, linear: tuple[ImplicitModel, list[float]]) -> None:
        """Of 64 observations, within 4 standard errors."""
        model = linear[0]
        found = annealed_likelihood(model, Observations(model), torch.arange(64).numpy(), AISConfig(chains=8, steps=40))
        away = found.nll + model.exact_log_p().detach().numpy()
        assert abs(away.mean()) < 4 * away.std() / 8 and away.std() < 0.05


class Observations:
    """The part of a corpus that annealing reads."""

    def __init__(self, model: oracle.LinearGaussianModel) -> None:
        self.model = model
        self.lengths = torch.full((len(model.x_NX),), 3).numpy()

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, indices: Any) -> Batch:
        return self.model.batch(indices)


def text_model(decoder: str = "lstm-every", **settings: Any) -> TextVAE:
    torch.manual_seed(0)
    config = TextVAEConfig(
        latent_dim=3,
        encoder=LSTMEncoderConfig(**SMALL),
        decoder=DECODERS[decoder],
        posterior=SteinPosteriorConfig(**{"hidden_dim": 8, **settings}),
    )
    model = scramble(config.build(vocab_size=11, max_tokens=9))
    assert isinstance(model, TextVAE)
    return model


def gradients(loss: Tensor, model: TextVAE) -> dict[str, Tensor]:
    named = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    return {name: grad for name, grad in zip(named, found, strict=True) if grad is not None}


@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "transformer-prefix", "gru-inputless-every"])
def test_one_particle_is_map_ascent(decoder: str) -> None:
    """The surrogate's gradient is that of log p(x, z) at the one code, through the encoder and the network."""
    model, batch = text_model(decoder, particles=1).double().eval(), random_batch()
    features = model.encoder(batch.tokens_BT, batch.lengths_B)
    torch.manual_seed(3)
    start = model.posterior(features)
    found = model.posterior.refine(start, model.log_joint(batch), sentence_keys(batch.tokens_BT))  # type: ignore[operator]
    assert found.surrogate_B is not None and not found.surrogate_B.any()
    torch.manual_seed(3)
    z_SBD = start.rsample((1,))
    log_joint_SB = model.decoder.log_prob(batch.tokens_BT, z_SBD) + model.prior().log_prob(z_SBD)
    ours = gradients(found.surrogate_B.sum(), model)
    wanted = gradients(log_joint_SB.sum(), model)
    assert {name.split(".")[0] for name in ours} == {"encoder", "posterior"}
    for name, grad in ours.items():
        torch.testing.assert_close(grad, wanted[name], rtol=1e-6, atol=1e-9)


def test_encoder_and_decoder_learn_from_their_own_terms_alone() -> None:
    model, batch = text_model().eval(), random_batch()
    found = refined(model, batch)
    assert isinstance(found.posterior, Pushforward) and found.surrogate_B is not None
    by_stein = gradients(found.surrogate_B.sum(), model)
    assert {name.split(".")[0] for name in by_stein} == {"encoder", "posterior"}
    codes = found.posterior.weighted_samples(2)[0]
    assert not codes.requires_grad
    by_words = gradients(model.decoder.log_prob(batch.tokens_BT, codes).sum(), model)
    assert {name.split(".")[0] for name in by_words} == {"decoder"}
    # Together they are what the objective passes on, each with weight one.
    torch.manual_seed(1)
    loss = SteinConfig(samples=2).build(**BUILD)(model.terms(batch, 2), 0).loss_B
    torch.manual_seed(1)
    again = refined(model, batch)
    z, _, _ = again.posterior.weighted_samples(2)
    expected_B = -(model.decoder.log_prob(batch.tokens_BT, z) + model.prior().log_prob(z)).mean(0)
    torch.testing.assert_close(loss, expected_B)
    assert again.surrogate_B is not None
    total, parts = gradients(loss.sum(), model), gradients((expected_B - again.surrogate_B).sum(), model)
    for name, grad in total.items():
        torch.testing.assert_close(grad, parts[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [("particles", 7), ("step_size", 0.3), ("own_gradient", True), ("bandwidth", 2.5), ("min_scale", 3.0)],
)
def test_every_setting_changes_what_the_encoder_learns(name: str, value: Any) -> None:
    batch = random_batch()
    grads = []
    for settings in ({}, {name: value}):
        model = text_model(**settings)
        torch.manual_seed(2)
        surrogate_B = refined(model, batch).surrogate_B
        assert surrogate_B is not None
        grads.append(gradients(surrogate_B.sum(), model)["posterior.amortized.parameters_of.weight"])
    if name == "step_size":
        torch.testing.assert_close(grads[1], 0.3 * grads[0])
    assert (grads[0] - grads[1]).abs().max() > 1e-3


def test_sizes_of_the_network_are_those_asked_for() -> None:
    posterior = built(6, 3, noise_dim=5, hidden_dim=7)
    assert posterior.by_noise.weight.shape == (7, 5)
    with torch.no_grad():
        posterior.bend.weight.normal_()
    noise = torch.zeros(2, 1, 5, dtype=F64)
    noise[1, 0, 4] = 1.0
    q = posterior(torch.randn(1, 6, dtype=F64))
    first, second = q._moved(noise)
    assert (first - second).abs().min() > 1e-3, "noise beyond the code's dimensions bends it"
    with pytest.raises(ConfigError, match="noise_dim is 2, expected at least latent_dim = 3"):
        built(6, 3, noise_dim=2)


def test_training_starts_at_a_gaussian() -> None:
    """Before the network bends anything, moments are those of the Gaussian, to the last digits of float32."""
    posterior, x = built(6, 3), torch.randn(4, 6, dtype=F64)
    q, gaussian = posterior(x), posterior.amortized(x)
    torch.testing.assert_close(q.mean, gaussian.loc, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(q.variance, gaussian.variance, rtol=1e-5, atol=0)
    torch.testing.assert_close(q.proposal.scale, gaussian.scale, rtol=1e-5, atol=0)


def test_a_sentences_moments_are_its_own_and_the_same_each_time() -> None:
    model, batch = text_model().eval(), random_batch(sentences=6)
    state = torch.random.get_rng_state()
    with torch.no_grad():
        mean = model.posterior_of(batch).mean
        assert torch.equal(state, torch.random.get_rng_state()), "moments, and no particles where no gradient is taken"
        some = Batch(batch.tokens_BT[[4, 1]], batch.lengths_B[[4, 1]])
        torch.testing.assert_close(model.train().posterior_of(some).mean, mean[[4, 1]])


def test_half_precision_moves_codes_in_float32() -> None:
    model, batch = text_model(), random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.terms(batch, 2)
        loss = SteinConfig().build(**BUILD)(terms, 0).loss_B.mean()
    assert terms.latents[0].z_SUD.dtype == torch.float32
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_objectives_and_posteriors_refuse_one_another() -> None:
    model, batch = text_model(), random_batch()
    with pytest.raises(ConfigError, match="use the objective stein"):
        ELBOConfig().build(**BUILD)(model.terms(batch), 0)
    gaussian = oracle.LinearGaussianModel()
    with pytest.raises(ConfigError, match="use the objective elbo"):
        SteinConfig().build(**BUILD)(gaussian.terms(gaussian.batch()), 0)
    # The proxy has a density, and a KL in closed form.
    output = ELBOConfig().build(**BUILD)(model.proxy_terms(batch), 0)
    assert output.loss_B.isfinite().all() and (output.metrics_B["kl"] > 0).all()
    assert math.isfinite(SteinConfig().build(**BUILD)(model.terms(batch), 0).loss_B.sum().item())
