"""The Hamiltonian posterior: unbiased weights, its mechanics and every gradient, where all of it is known (card A6)."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import DECODERS, SMALL, random_batch, scramble
from tests.oracles import linear_gaussian as oracle
from textvae.decoders import LSTMDecoderConfig
from textvae.distributions import DiagonalGaussian
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import LogJoint, SemiSupervisedConfig, TextVAE, TextVAEConfig
from textvae.objectives import ELBOConfig, IWAEConfig, RateFreeBitsConfig, TargetFreeBitsConfig
from textvae.posteriors import Hamiltonian, HamiltonianPosteriorConfig
from textvae.types import Batch

F64 = torch.float64
SIZES = {"vocab_size": 11, "max_tokens": 9}
BUILD = {"steps_per_epoch": 1, "total_steps": 1}
D = 3
NONE, FREE, FIXED = {"kind": "none"}, {"kind": "free"}, {"kind": "fixed"}


class Observed(oracle.LinearGaussianModel):
    """O1 with a Hamiltonian posterior that starts from its imperfect Gaussian, or from another one.

    Args:
        rows: how often the one observation is there: as many independent estimates for each sample.
        scale: of the start's deviations.
        settings: of the posterior.
    """

    def __init__(self, rows: int = 1, scale: float = 1.0, **settings: Any) -> None:
        super().__init__(torch.tensor([oracle.X] * rows, dtype=F64))
        self.scale = scale
        self.moves = HamiltonianPosteriorConfig(**settings).build(feature_dim=4, latent_dim=2).to(F64)

    def posterior_of(self, batch: Batch) -> Hamiltonian:
        start = super().posterior_of(batch)
        assert isinstance(start, DiagonalGaussian)
        start = DiagonalGaussian(start.loc, self.scale * start.scale)
        log_joint = LogJoint(self.decoder, self.prior(), batch.tokens_BT)
        q = self.moves.refine(start, log_joint, batch.example_id_B).posterior  # type: ignore[arg-type]
        assert isinstance(q, Hamiltonian)
        return q

    def log_weights(self, drawn: Tensor | None = None, samples: int = 1) -> Tensor:
        """log p(x, z) - log q of draws of the source, [S, B]."""
        batch = self.batch()
        q = self.posterior_of(batch)
        drawn = q.source.rsample((samples,)) if drawn is None else drawn
        z, log_q = q.carried(drawn, q.source.log_prob(drawn))
        return self.log_joint(z, batch) - log_q


def exact_bound(model: Observed) -> float:
    """E[log w] without noise: log w is quadratic in the 2 D numbers drawn, and 4 D points have their moments."""
    source = model.posterior_of(model.batch()).source
    size = source.event_shape[0]
    units = math.sqrt(size) * torch.cat([torch.eye(size), -torch.eye(size)]).to(F64).unsqueeze(1)
    with torch.no_grad():
        return model.log_weights(source.loc + source.scale * units).mean().item()


def text_model(decoder: str = "lstm-both-2-layers", scale: float = 0.5, **settings: Any) -> TextVAE:
    torch.manual_seed(0)
    parts: Any = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": DECODERS[decoder], "latent_dim": D}
    config = TextVAEConfig(posterior=HamiltonianPosteriorConfig(**settings), **parts)
    model = scramble(config.build(**SIZES), scale=scale)
    assert isinstance(model, TextVAE)
    return model


# ------------------------------------------------------------------ where everything is known


@pytest.mark.parametrize("steps", [1, 3, 10])
@pytest.mark.parametrize(("tempering", "step_size"), [(NONE, 0.2), (NONE, 0.45), (FREE, 0.1), (FIXED, 0.3)])
def test_weights_are_unbiased(steps: int, tempering: dict[str, Any], step_size: float) -> None:
    """O1: the mean weight is p(x), within 3 standard errors of 40 000; these are below 1 percent, 5 for a hot start."""
    torch.manual_seed(0)
    model = Observed(400, steps=steps, tempering=tempering, step_size=step_size, every_step=steps == 3)
    with torch.no_grad():
        ratio = (model.log_weights(samples=100) - oracle.LOG_P).exp()
    error = ratio.std().item() / ratio.numel() ** 0.5
    assert abs(ratio.mean().item() - 1) < 3 * error < (0.15 if tempering == FREE else 0.03)


@pytest.mark.parametrize("tempering", [NONE, FREE, FIXED])
def test_the_low_variance_bound_differs_by_noise_that_no_gradient_sees(tempering: dict[str, Any]) -> None:
    """The card's bound has the entropies of z_0 and rho_0 for their log-densities: the same mean, within 3 standard
    errors, the same gradient for every draw, and beside a start that fits more variance, not less."""
    torch.manual_seed(0)
    model = Observed(20, steps=3, tempering=tempering, step_size=0.1, every_step=True)
    q = model.posterior_of(model.batch())
    drawn = q.source.rsample((500,))
    z, log_q = q.carried(drawn, q.source.log_prob(drawn))
    again, in_mean = q.carried(drawn, -q.source.entropy().expand(500, -1))
    torch.testing.assert_close(z, again)
    noise = log_q - in_mean
    assert abs(noise.mean().item()) < 3 * noise.std().item() / noise.numel() ** 0.5
    parameters = list(model.moves.parameters())
    of_noise, of_log_q = (
        torch.autograd.grad(part.sum(), parameters, retain_graph=True, allow_unused=True) for part in (noise, log_q)
    )
    assert all(gradient is None or gradient.abs().max() < 1e-9 for gradient in of_noise)
    assert any(gradient is not None and gradient.abs().max() > 0.1 for gradient in of_log_q)
    log_joint = model.log_joint(z, model.batch())
    assert (log_joint - log_q).var() < (log_joint - in_mean).var()


@pytest.mark.parametrize("tempering", [NONE, FREE, FIXED])
def test_without_steps_it_is_the_gaussian(tempering: dict[str, Any]) -> None:
    """K = 0: codes, densities and the bound of the card's plain VAE; the momentum's two densities cancel."""
    model = Observed(5, steps=0, tempering=tempering)
    q = model.posterior_of(model.batch())
    z, log_q = q.rsample_and_log_prob((4,))
    torch.testing.assert_close(log_q, q.start.log_prob(z))
    torch.testing.assert_close(q.mean, q.start.loc)
    assert exact_bound(model) == pytest.approx(oracle.ELBO, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "card", "exact"),
    [
        ({"steps": 1, "tempering": NONE}, -4.472, -4.475047),
        ({"steps": 3, "tempering": NONE}, -4.454, -4.456387),
        ({"steps": 10, "tempering": FIXED}, -4.420, -4.420036),
    ],
)
def test_the_bound_rises_to_the_values_of_the_card(settings: dict[str, Any], card: float, exact: float) -> None:
    """The card's numbers are by Monte Carlo: to about 0.003. The exact ones are these, and by other means below."""
    found = exact_bound(Observed(**settings))
    assert found == pytest.approx(exact, abs=1e-6)
    assert found == pytest.approx(card, abs=0.0035)
    assert oracle.ELBO < found < oracle.LOG_P
    assert found == pytest.approx(by_matrices(**settings), abs=1e-9)


def by_matrices(steps: int, tempering: dict[str, Any]) -> float:
    """The same expectation from the matrix of the moves, in numpy: E log p(x, z_K) N(rho_K) + entropy + log det."""
    exact = oracle.LinearGaussianModel().exact_posterior()
    mean, precision = exact.mean[0].detach().numpy(), exact.precision_matrix[0].detach().numpy()
    root = math.sqrt(1.5) if tempering == FIXED else 1.0
    roots = [(1 - root) * k**2 / steps**2 + root for k in range(steps + 1)]
    one, none = np.eye(2), np.zeros((2, 2))
    kick = np.block([[one, none], [-0.1 * precision, one]])
    drift = np.block([[one, 0.2 * one], [none, one]])
    moves = np.eye(4)
    for k in range(steps):
        cool = np.block([[one, none], [none, one * roots[k + 1] / roots[k]]])
        moves = cool @ kick @ drift @ kick @ moves
    spread = np.diag([*oracle.Q_SCALE, root, root])
    center = moves @ np.array([*(np.array(oracle.Q_LOC) - mean), 0, 0])
    second = moves @ spread @ spread @ moves.T + np.outer(center, center)
    target = np.block([[precision, none], [none, one]])
    log_p = oracle.LOG_P - 2 * math.log(2 * math.pi) + 0.5 * np.linalg.slogdet(precision)[1]
    entropy = 2 + 2 * math.log(2 * math.pi) + np.log(np.diag(spread)).sum()
    return log_p - 0.5 * np.trace(target @ second) + entropy + np.linalg.slogdet(moves)[1]


@pytest.mark.parametrize(("scale", "times"), [(1.0, 4), (0.5, 2), (0.3, 1.2)])
def test_entropies_may_be_integrated_and_change_no_gradient(scale: float, times: float) -> None:
    """The paper's form of the bound has the entropies of z_0 and rho_0 in place of their log-densities.

    Same mean (within 3 standard errors of the difference), and the same gradient sample by sample, for they differ by
    a function of the noise alone. It is meant to vary less, and varies more (so many times, at least), from a q as good
    as this one to one 0.3 times as wide: log-densities of what is drawn cancel the noise of log p(x, z) and of
    log N(rho_K), and integrating one of the two uncovers the other. Hence it is not what we do.
    """
    model = Observed(2000, scale, steps=3, tempering=NONE)
    torch.manual_seed(0)
    q = model.posterior_of(model.batch())
    drawn, log_density = q.source.rsample_and_log_prob((2,))
    z, log_q = q.carried(drawn, log_density)
    sampled = model.log_joint(z, model.batch()) - log_q
    steady = sampled + log_density + q.source.entropy()
    difference = steady - sampled
    assert abs(difference.mean().item()) < 3 * difference.std().item() / difference.numel() ** 0.5
    assert steady.var() > times * sampled.var()
    parameters = [model.posterior.loc, model.posterior.log_scale, model.moves.step_size_logits, model.decoder.weight]
    one, other = (torch.autograd.grad(x.mean(), parameters, retain_graph=True) for x in (sampled, steady))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("tempering", [NONE, FREE, FIXED])
def test_the_jacobian_is_what_is_said(tempering: dict[str, Any]) -> None:
    """O10: by automatic differentiation the log-determinant is (D / 2) log beta_0, to 1e-10."""
    model = Observed(steps=4, tempering=tempering, every_step=True)
    scramble(model.moves)
    q = model.posterior_of(model.batch())

    def moves(x: Tensor) -> Tensor:
        return torch.cat(q.moved(x[:2].view(1, 1, 2), x[2:].view(1, 1, 2)), -1).flatten()

    jacobian = torch.autograd.functional.jacobian(moves, torch.randn(4, dtype=F64))
    log_det = torch.linalg.slogdet(jacobian)[1]
    assert log_det.item() == pytest.approx(q.log_det.item(), abs=1e-10)
    log_beta = -2 * q.source.scale[0, 2].log()
    assert q.log_det.item() == pytest.approx(log_beta.item(), abs=1e-10)
    assert (q.log_det < -0.3) == (tempering != NONE)


@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "transformer-cross"])
def test_moves_can_be_undone(decoder: str) -> None:
    """O10: turned around, an uncooled way leads back to where it began, to 1e-9; forward it goes somewhere."""
    model, batch = text_model(decoder, steps=6, tempering=NONE).double().eval(), random_batch()
    with torch.no_grad():
        q = model.posterior_of(batch)
        assert isinstance(q, Hamiltonian)
        z, momentum = torch.randn(2, 2, 5, D, dtype=F64)
        there, speed = q.moved(z, momentum)
        back, turned = q.moved(there, -speed)
    assert (there - z).abs().max() > 0.5
    torch.testing.assert_close(back, z, rtol=0, atol=1e-9)
    torch.testing.assert_close(turned, -momentum, rtol=0, atol=1e-9)


def test_energy_is_kept_to_second_order() -> None:
    """Over a path of length 0.8 halving the step size leaves a quarter of the energy's error."""
    errors = []
    for steps in (8, 16, 32):
        model = text_model(steps=steps, tempering=NONE, step_size=0.8 / steps, scale=0.4).double().eval()
        batch = random_batch()
        with torch.no_grad():
            model.posterior.step_size_logits.fill_(math.log(0.8 / steps / (0.5 - 0.8 / steps)))  # type: ignore[union-attr, operator]
            q = model.posterior_of(batch)
            torch.manual_seed(3)
            z, momentum = torch.randn(2, 4, 5, D, dtype=F64)
            before = model.log_joint(batch)(z) - 0.5 * momentum.square().sum(-1)
            z, momentum = q.moved(z, momentum)  # type: ignore[attr-defined]
            after = model.log_joint(batch)(z) - 0.5 * momentum.square().sum(-1)
        errors.append((after - before).abs().mean().item())
    assert errors[0] > 1e-5
    for coarse, fine in itertools.pairwise(errors):
        assert coarse / fine == pytest.approx(4, rel=0.1)


def test_the_center_is_the_mean_where_the_moves_are_linear() -> None:
    """O1, 40 000 samples, within 4 standard errors; and it is drawn from nothing."""
    torch.manual_seed(0)
    model = Observed(100, steps=5)
    with torch.no_grad():
        q = model.posterior_of(model.batch())
        z = q.sample((400,)).flatten(0, 1)
        error = z.std(0) / len(z) ** 0.5
        assert ((z.mean(0) - q.center[0]).abs() < 4 * error).all()
        assert torch.equal(q.center, q.mean)
        assert (q.center[0] - q.start.loc[0]).abs().max() > 0.1


def test_every_tempering_starts_where_its_settings_say() -> None:
    for tempering, temperature in (({**FIXED, "temperature": 2.5}, 2.5), ({**FREE, "factor": 0.8}, 0.8**-6), (NONE, 1)):
        q = (model := Observed(steps=3, tempering=tempering)).posterior_of(model.batch())
        assert q.source.variance[0, 2].item() == pytest.approx(temperature)
        assert (q.log_factors_K <= 0).all()
    assert not list(Observed(steps=3, tempering={**FIXED, "learned": False}).moves.tempering.parameters())
    sizes = Observed(steps=3, step_size=0.3).posterior_of(Observed().batch()).step_sizes_KD
    torch.testing.assert_close(sizes, torch.full((3, 2), 0.3, dtype=F64))
    # No training takes a step size past its cap.
    wild = Observed(steps=3, step_size=0.3, max_step_size=0.4, every_step=True).moves
    torch.nn.init.constant_(wild.step_size_logits, 100.0)
    assert wild.step_sizes_KD.max().item() == pytest.approx(0.4)


# ------------------------------------------------------------------ gradients


@pytest.mark.parametrize(
    ("decoder", "tempering"),
    [("lstm-both-2-layers", FREE), ("lstm-both-2-layers", FIXED), ("gru-both", FIXED), ("transformer-cross", FREE)],
)
def test_gradients_equal_finite_differences(decoder: str, tempering: dict[str, Any]) -> None:
    """O18: float64, common noise: the bound's slope along a random direction in each parameter of head, step sizes and
    tempering, and in every third of encoder and decoder, to 1e-5. Second derivatives of the decoder are part of it."""
    model = text_model(decoder, steps=2, tempering=tempering, every_step=True).double().eval()
    batch = random_batch()

    def bound() -> Tensor:
        torch.manual_seed(3)
        terms = model.terms(batch, 2)
        group = terms.latents[0]
        assert group.log_q_SU is not None
        return (terms.log_px_z_SB + group.log_p_SU - group.log_q_SU).mean()

    names, parameters = zip(*model.named_parameters(), strict=True)
    grads = torch.autograd.grad(bound(), parameters)
    assert any("tempering" in name for name in names) and any("step_size" in name for name in names)
    for number, (name, parameter, grad) in enumerate(zip(names, parameters, grads, strict=True)):
        if number % 3 and not name.startswith("posterior."):
            continue
        direction = torch.randn_like(parameter)
        direction /= direction.norm()
        values = []
        for sign in (1e-6, -1e-6):
            with torch.no_grad():
                parameter.add_(sign * direction)
                values.append(bound().item())
                parameter.sub_(sign * direction)
        slope = (values[0] - values[1]) / 2e-6
        assert slope == pytest.approx((grad * direction).sum().item(), rel=1e-5, abs=1e-6), name


def test_no_second_derivative_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are kept in training only; a stopped posterior moves just as far, and K + 1 gradients are all it takes."""
    model, batch = text_model(steps=3).eval(), random_batch()
    asked: list[bool] = []
    plain = LogJoint.value_and_grad

    def watched(self: LogJoint, z_SBD: Tensor, create_graph: bool = False) -> tuple[Tensor, Tensor]:
        asked.append(create_graph)
        return plain(self, z_SBD, create_graph)

    monkeypatch.setattr(LogJoint, "value_and_grad", watched)
    torch.manual_seed(3)
    terms = model.terms(batch)
    assert asked == [True] * 4 and terms.latents[0].z_SUD.requires_grad
    q = terms.latents[0].posterior
    asked.clear()
    torch.manual_seed(3)
    stopped, _ = q.detached().rsample_and_log_prob((1,))  # type: ignore[attr-defined]
    assert asked == [False] * 4 and not stopped.requires_grad
    torch.testing.assert_close(stopped, terms.latents[0].z_SUD.detach())
    asked.clear()
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            torch.manual_seed(3)
            torch.testing.assert_close(model.terms(batch).latents[0].z_SUD, stopped)
    assert asked == [False] * 8
    assert all(parameter.grad is None for parameter in model.parameters())


# ------------------------------------------------------------------ in models


def test_rows_are_their_own() -> None:
    """A sentence's codes depend on neither its company nor its padding; rows of rows are rows, in any shape."""
    model = text_model(steps=3).double().eval()
    batch, padded = random_batch(sentences=6), random_batch(sentences=6, extra_padding=2)
    with torch.no_grad():
        q = model.posterior_of(batch)
        drawn, log_density = q.source.rsample_and_log_prob((3,))
        z, log_q = q.carried(drawn, log_density)
        index = torch.tensor([[4, 1], [0, 4]])
        some = q.rows(index)
        found = some.carried(drawn[:, index], log_density[:, index])
        torch.testing.assert_close(found, (z[:, index], log_q[:, index]))
        one = some.rows(0).rows(1)
        assert one.batch_shape == ()
        torch.testing.assert_close(one.carried(drawn[:, 1], log_density[:, 1])[0], z[:, 1])
        torch.testing.assert_close(one.mean, q.mean[1])
        alone = Batch(padded.tokens_BT[[4, 1]], padded.lengths_B[[4, 1]])
        torch.testing.assert_close(model.posterior_of(alone).mean, q.mean[[4, 1]], rtol=1e-7, atol=1e-8)


def test_a_code_alone_has_no_density() -> None:
    q = text_model(steps=1).posterior_of(random_batch())
    for score in (q.log_prob, q.pairwise_log_prob):
        with pytest.raises(ConfigError, match="without its momentum is not known; use"):
            score(torch.zeros(5, D))
    for unknown in ("variance", "mode"):
        with pytest.raises(NotImplementedError):
            getattr(q, unknown)
    assert q.kl_per_dim(DiagonalGaussian(torch.zeros(D), torch.ones(D))) is None


def test_what_is_reported_is_no_kl() -> None:
    """Objectives call the difference `extended_rate`; on O1 it is above the KL of the codes alone, which is known."""
    torch.manual_seed(0)
    model, batch = text_model(steps=2), random_batch()
    for objective in (ELBOConfig(), IWAEConfig(samples=3, gradient="plain")):
        output = objective.build(**BUILD)(model.terms(batch, 3), 0)
        assert set(output.metrics_B) == {"nll", "extended_rate", "kl_penalty"}
    group = model.terms(batch).latents[0]
    assert group.extended and group.kl_U is None and group.kl_per_dim_UD is None

    known = Observed(steps=3, tempering=FIXED)
    with torch.no_grad():
        q = known.posterior_of(known.batch())
        drawn = q.source.sample((100_000,))
        z, log_q = q.carried(drawn, q.source.log_prob(drawn))
    rate = (log_q - known.prior().log_prob(z)).mean().item()
    # The moves are linear, so that z_K is Gaussian.
    moved = torch.distributions.MultivariateNormal(z.mean((0, 1)), torch.cov(z[:, 0].T))
    kl = torch.distributions.kl_divergence(
        moved, torch.distributions.MultivariateNormal(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
    )
    assert rate > kl.item() + 0.05


@pytest.mark.parametrize("kind", [RateFreeBitsConfig, TargetFreeBitsConfig])
def test_free_bits_act_on_the_whole_rate(kind: Any) -> None:
    model, batch = text_model(steps=2), random_batch()
    terms = model.terms(batch, 4)
    output = ELBOConfig(free_bits=kind(nats=1000.0)).build(**BUILD)(terms, 0)
    rate_B, penalty_B = output.metrics_B["extended_rate"], output.metrics_B["kl_penalty"]
    expected = torch.full_like(rate_B, 1000.0) if kind is RateFreeBitsConfig else 1000.0 - rate_B
    torch.testing.assert_close(penalty_B, expected)
    assert rate_B.abs().max() > 0.1


def test_every_label_has_its_moves() -> None:
    """Labels reach the density that moves: terms at a known label are those of that label's posterior."""
    config = SemiSupervisedConfig(
        latent_dim=D,
        encoder=LSTMEncoderConfig(**SMALL),
        decoder=LSTMDecoderConfig(**SMALL),
        posterior=HamiltonianPosteriorConfig(steps=3),
    )
    model = scramble(config.build(**SIZES, label_names=("a", "b"))).eval()
    batch = random_batch(labels=2)
    assert batch.label_B is not None
    with torch.no_grad():
        q = model.terms(Batch(batch.tokens_BT, batch.lengths_B), 1).latents[0].posterior  # type: ignore[operator]
        assert q.batch_shape == (2, 5)
        given = model.posterior_of(batch).mean  # type: ignore[operator]
        found = q.mean[batch.label_B, torch.arange(5)]
    torch.testing.assert_close(found, given, rtol=1e-4, atol=1e-4)
    assert (q.mean[0] - q.mean[1]).abs().max() > 0.01


@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "gru-both", "transformer-prefix"])
def test_moving_raises_the_bound_of_an_encoder_that_knows_nothing(decoder: str) -> None:
    """Twenty sentences, 100 samples, with the same z_0 on both sides: by more than 4 standard errors."""
    model, batch = text_model(decoder, tempering=FIXED).eval(), random_batch(sentences=20)
    with torch.no_grad():
        q, log_joint = model.posterior_of(batch), model.log_joint(batch)
        drawn, log_density = q.source.rsample_and_log_prob((100,))
        z, log_q = q.carried(drawn, log_density)
        start = drawn[..., :D]
        rise = (log_joint(z) - log_q) - (log_joint(start) - q.proposal.log_prob(start))
    assert rise.mean() > 4 * rise.std() / rise.numel() ** 0.5
    assert rise.mean() > 0.5
