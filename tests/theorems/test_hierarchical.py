"""Codes in levels: an exact chain (O12), what the chain rule says of KLs, and lossy codes (O15)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from tests.components import DECODERS, POSTERIORS, PRIORS, SMALL, random_batch, scramble
from tests.oracles import linear_chain as oracle
from tests.oracles.corpus import ListCorpus
from tests.oracles.linear_gaussian import VARIANCE
from textvae.config import parse
from textvae.distributions import DiagonalGaussian, HierarchicalGaussian
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.evaluation import AISConfig, EvaluateConfig, annealed_likelihood, evaluate, information, likelihood
from textvae.evaluation.rate_distortion import lossy_codes, rate_distortion
from textvae.models import SemiSupervisedConfig, TextVAE, TextVAEConfig
from textvae.models.text_vae import scored_group
from textvae.objectives import BatchMeanFreeBitsConfig, ELBOConfig, IWAEConfig
from textvae.posteriors import HierarchicalPosteriorConfig
from textvae.priors import HierarchicalPriorConfig

F64 = torch.float64


def sentences_of(model: oracle.LinearChain) -> ListCorpus:
    """The observations behind the part of a corpus that evaluation reads."""
    return ListCorpus([[row] for row in range(len(model.x_NX))])


def text_corpus(count: int = 60) -> ListCorpus:
    rng = np.random.default_rng(0)
    return ListCorpus([rng.integers(4, 11, rng.integers(1, 8)).tolist() for _ in range(count)])


def text_model(
    posterior: str = "hierarchical", prior: str = "hierarchical", scale: float = 0.3, **settings: Any
) -> TextVAE:
    settings = {"posterior": POSTERIORS[posterior], "prior": PRIORS[prior], "latent_dim": 4, **settings}
    config = TextVAEConfig(encoder=LSTMEncoderConfig(**SMALL), decoder=DECODERS["lstm-every"], **settings)
    model = scramble(config.build(vocab_size=11, max_tokens=9), scale=scale).eval()
    assert isinstance(model, TextVAE)
    return model


class TestExactChain:
    """O12."""

    def test_every_importance_weight_is_the_likelihood(self) -> None:
        """Zero variance: the bound of one sample is log p(x), to 1e-10."""
        model = oracle.observed(6)
        terms = model.terms(model.batch(), 50)
        group = terms.latents[0]
        log_w_SB = terms.log_px_z_SB + group.log_p_SU - group.log_q_SU  # type: ignore[operator]
        torch.testing.assert_close(log_w_SB, model.exact_log_p().expand(50, 6), rtol=0, atol=1e-10)

    def test_conditionals_are_those_of_the_joint_gaussian(self) -> None:
        model = oracle.observed(4)
        q, joint, z = model.posterior_of(model.batch()), model.exact_posterior(), torch.randn(7, 4, 2, dtype=F64)
        assert isinstance(q, HierarchicalGaussian)
        torch.testing.assert_close(q.log_prob(z), joint.log_prob(z))
        marginal = torch.distributions.Normal(joint.mean[:, 0], joint.covariance_matrix[:, 0, 0].sqrt())
        torch.testing.assert_close(q.level_log_probs(z)[..., 0], marginal.log_prob(z[..., 0]))
        torch.testing.assert_close(q.level_log_probs(z).sum(-1), q.log_prob(z))
        # Opposite pairs integrate what is linear without error; the mode of a Gaussian is its mean.
        torch.testing.assert_close(q.mean, joint.mean)
        torch.testing.assert_close(q.center, joint.mean)
        torch.testing.assert_close(model.prior().log_prob(z), model.joint_prior().log_prob(z))

    def test_bounds_are_in_order(self) -> None:
        """ELBO < IWAE-5 < IWAE-50 by more than 10 standard errors of the mean over 400 observations, log p by -3."""
        model = oracle.observed(400, off=0.6)
        found = likelihood(model, sentences_of(model), num_samples=50)
        log_p = model.exact_log_p().detach().numpy()
        chain = [-found.elbo_nll, -found.curve[5], -found.curve[50], log_p]  # type: ignore[operator]
        for (below, above), errors in zip(pairwise(chain), (10, 10, -3), strict=True):
            gain = above - below
            assert gain.mean() > errors * gain.std() / 20

    def test_annealing_reaches_log_p(self) -> None:
        """The mean over 40 observations is within 0.05 nats, of which the standard error is less than a third."""
        model = oracle.observed(40, off=0.3)
        found = annealed_likelihood(model, sentences_of(model), np.arange(40), AISConfig(steps=50, chains=8))
        off = found.nll + model.exact_log_p().detach().numpy()
        assert abs(off.mean()) < 0.05 and off.std() / 40**0.5 < 0.05 / 3

    def test_kls_of_levels_sum_to_the_whole(self) -> None:
        """Within 3 standard errors of 20 000 samples; that of the first level has no error at all."""
        model = oracle.observed(1, off=0.4)
        q, p = model.posterior_of(model.batch()), model.prior()
        with torch.no_grad():
            z = q.rsample((20_000,))
            per_dim = q.kl_per_dim_given(p, z)
            first = DiagonalGaussian(q.loc[..., :1], q.log_scale[..., :1].exp())  # type: ignore[attr-defined]
            slope = model.posterior.slope.view(1, 1)
            mixing = torch.tensor([[1.0, 0.0], [float(slope), 1.0]], dtype=F64)
            scales = model.posterior.log_scale.exp().square().diag()
            joint = torch.distributions.MultivariateNormal(q.mean, mixing @ scales @ mixing.T)
            whole = torch.distributions.kl_divergence(joint, model.joint_prior())
        assert per_dim is not None
        unit = DiagonalGaussian(torch.zeros(1, dtype=F64), torch.ones(1, dtype=F64))
        torch.testing.assert_close(per_dim[..., 0], first.kl_per_dim(unit)[..., 0].expand(20_000, 1))  # type: ignore[index]
        total = per_dim.sum(-1)
        assert (total.mean(0) - whole).abs() < 3 * total.std(0) / 20_000**0.5
        ratio = q.log_prob(z) - p.log_prob(z)
        assert total.std() < 0.7 * ratio.std()

    @pytest.mark.parametrize("gradient", ["sticking_the_landing", "doubly_reparameterized"])
    def test_stopped_gradients_are_free_of_noise_at_the_exact_posterior(self, gradient: str) -> None:
        model = oracle.observed(5)
        objective = IWAEConfig(samples=3, gradient=gradient).build(steps_per_epoch=1, total_steps=1)  # type: ignore[arg-type]
        loss = objective(model.terms(model.batch(), 3), 0).loss_B.sum()
        for grad in torch.autograd.grad(loss, list(model.posterior.parameters())):
            assert grad.abs().max() < 1e-10

    def test_doubly_reparameterized_gradients_have_the_right_mean(self) -> None:
        """The gradient through a lower level into an upper one is scaled once: both estimators agree.

        30 runs of 3000 times 3 samples, within 4 standard errors, which are below a tenth of the gradient of the slope.
        """
        x_X = oracle.LinearChain().x_NX[0]
        found: dict[str, torch.Tensor] = {}
        for gradient in ("plain", "doubly_reparameterized"):
            model = oracle.LinearChain(x_X.unsqueeze(0), off=0.4)
            objective = IWAEConfig(samples=3, gradient=gradient).build(steps_per_epoch=1, total_steps=1)  # type: ignore[arg-type]
            rows = []
            for _ in range(30):
                loss = objective(model.terms(model.batch([0] * 3000), 3), 0).loss_B.mean()
                grads = torch.autograd.grad(loss, list(model.posterior.parameters()))
                rows.append(torch.cat([grad.flatten() for grad in grads]))
            found[gradient] = torch.stack(rows)
        means = {name: rows.mean(0) for name, rows in found.items()}
        error = torch.stack([rows.var(0) / len(rows) for rows in found.values()]).sum(0).sqrt()
        assert ((means["plain"] - means["doubly_reparameterized"]).abs() < 4 * error).all()
        assert error[-1] < 0.1 * means["plain"][-1].abs()


class TestDistribution:
    def q(self, levels: int = 2, latent_dim: int = 4, rows: int = 3) -> HierarchicalGaussian:
        config = HierarchicalPosteriorConfig(levels=levels, hidden_dim=5)
        posterior = scramble(config.build(feature_dim=6, latent_dim=latent_dim)).double()
        with torch.no_grad():
            return posterior(torch.randn(rows, 6, dtype=F64))

    def test_density_integrates_to_one(self) -> None:
        """On a grid in the levels' own coordinates: z_1 by its scale, z_2 by its scale given z_1."""
        q = self.q(levels=2, latent_dim=2, rows=1).rows(0)
        unit = torch.linspace(-9, 9, 401, dtype=F64)
        noise = torch.stack(torch.meshgrid(unit, unit, indexing="ij"), -1).reshape(-1, 2)
        cell = float(unit[1] - unit[0]) ** 2
        with torch.no_grad():
            z, given = q._descend(noise)
            total = float((q.log_prob(z).exp() * given.scale.prod(-1)).sum()) * cell
        assert total == pytest.approx(1.0, abs=1e-8)

    @pytest.mark.parametrize("levels", [2, 4])
    def test_a_level_depends_on_those_above_and_on_no_other(self, levels: int) -> None:
        q = self.q(levels, rows=1).rows(0)
        jacobian = torch.autograd.functional.jacobian(lambda z: q.given(z).loc, torch.randn(4, dtype=F64))
        level = torch.arange(4) // (4 // levels)
        above = level.unsqueeze(1) > level
        assert (jacobian[above].abs() > 1e-6).all() and not jacobian[~above].any()

    def test_mean_is_that_of_many_draws(self) -> None:
        """Within what 16 opposite pairs leave of the spread that the levels above lend, at 4 standard errors."""
        q = self.q(levels=2)
        z = q.rsample((40_000,))
        given = q.given(z).loc
        assert ((q.mean - z.mean(0)).abs() < 4 * (given.std(0) / 16**0.5 + z.std(0) / 200)).all()
        torch.testing.assert_close(q.mean[:, :2], q.loc[:, :2])
        torch.testing.assert_close(q.mean, q.mean, rtol=0, atol=0)

    def test_center_is_the_chain_of_means(self) -> None:
        q = self.q(levels=4)
        torch.testing.assert_close(q.given(q.center).loc, q.center)

    def test_at_the_start_levels_do_not_touch(self) -> None:
        q = HierarchicalPosteriorConfig(levels=4).build(feature_dim=6, latent_dim=8)(torch.randn(3, 6))
        for z in torch.randn(4, 3, 8):
            torch.testing.assert_close(q.given(z).loc, q.loc, rtol=0, atol=0)
            torch.testing.assert_close(q.given(z).scale, q.log_scale.exp(), rtol=0, atol=0)

    @pytest.mark.parametrize("levels", [2, 4])
    def test_the_prior_starts_as_a_standard_normal(self, levels: int) -> None:
        p = HierarchicalPriorConfig(levels=levels).build(latent_dim=8)()
        unit = DiagonalGaussian(torch.zeros(8), torch.ones(8))
        z = 3 * torch.randn(50, 8)
        torch.testing.assert_close(p.log_prob(z), unit.log_prob(z))
        torch.manual_seed(1)
        drawn = p.sample((5,))
        torch.manual_seed(1)
        torch.testing.assert_close(drawn, unit.sample((5,)))

    def test_the_first_level_of_the_prior_stays(self) -> None:
        p = scramble(HierarchicalPriorConfig().build(latent_dim=4))()
        z = torch.randn(9, 4)
        unit = DiagonalGaussian(torch.zeros(2), torch.ones(2))
        torch.testing.assert_close(p.level_log_probs(z)[:, 0], unit.log_prob(z[:, :2]))
        assert (p.level_log_probs(z)[:, 1] - unit.log_prob(z[:, 2:])).abs().min() > 1e-3


def test_gradients_of_a_bound_equal_finite_differences() -> None:
    """O18: KLs by level through the samples of the levels above, for posterior and prior alike; float64, 1e-5."""
    posterior = scramble(POSTERIORS["hierarchical"].build(feature_dim=6, latent_dim=4), scale=0.3).double()
    prior = scramble(PRIORS["hierarchical"].build(latent_dim=4), scale=0.3).double()
    features = torch.randn(3, 6, dtype=F64)

    def value() -> torch.Tensor:
        torch.manual_seed(3)
        q, p = posterior(features), prior()
        group = scored_group("z", q, p, *q.rsample_and_log_prob((2,)))
        assert group.kl_per_dim_UD is not None
        return group.kl_per_dim_UD.square().sum() + group.z_SUD.sin().sum() + 0.1 * group.log_p_SU.sum()

    parameters = [*posterior.parameters(), *prior.parameters()]
    for parameter, grad in zip(parameters, torch.autograd.grad(value(), parameters), strict=True):
        flat = parameter.data.view(-1)
        for index in range(0, flat.numel(), 7):
            kept, ends = flat[index].item(), []
            for step in (1e-6, -1e-6):
                flat[index] = kept + step
                ends.append(value().item())
            flat[index] = kept
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(grad.reshape(-1)[index].item(), rel=1e-5, abs=1e-6)


class TestLossyCodes:
    """O15 and card B6."""

    @pytest.mark.parametrize(
        ("posterior", "prior"),
        [("hierarchical", "hierarchical"), ("hierarchical", "standard_normal"), ("gaussian", "hierarchical")],
    )
    def test_all_levels_are_the_bound_and_every_level_costs(self, posterior: str, prior: str) -> None:
        """Rate(L) + distortion(L) = -ELBO by the same codes, to rounding; the rate never falls for any sentence."""
        model, corpus = text_model(posterior, prior), text_corpus()
        bounds = likelihood(model, corpus, num_samples=6)
        found = rate_distortion(model, corpus, num_samples=6)
        assert found is not None and bounds.elbo_nll is not None
        np.testing.assert_allclose(found.rate[:, -1] + found.distortion[:, -1], bounds.elbo_nll, rtol=1e-5)
        np.testing.assert_allclose(found.rate[:, -1], bounds.kl, rtol=1e-5)  # type: ignore[arg-type]
        np.testing.assert_allclose(np.diff(found.rate[:, 1:])[:, 0], bounds.level_kl["kl_z_2"], rtol=1e-4, atol=1e-5)
        assert not found.rate[:, 0].any() and (np.diff(found.rate) >= -1e-6).all()
        np.testing.assert_allclose(sum(bounds.level_kl.values()), bounds.kl, rtol=1e-10)  # type: ignore[arg-type]

    def test_identity_holds_over_blocks_of_samples(self) -> None:
        """More samples than are drawn at once, in float64: to 1e-10."""
        model = oracle.observed(5, off=0.2)
        bounds = likelihood(model, sentences_of(model), num_samples=150)
        found = rate_distortion(model, sentences_of(model), num_samples=150)
        assert found is not None and bounds.elbo_nll is not None
        np.testing.assert_allclose(found.rate[:, -1] + found.distortion[:, -1], bounds.elbo_nll, rtol=1e-10)
        np.testing.assert_allclose(found.rate[:, 1], bounds.level_kl["kl_z_1"], rtol=1e-10)

    def test_nothing_depends_on_the_batches(self) -> None:
        model, corpus = text_model(), text_corpus()
        some, other = (rate_distortion(model, corpus, num_samples=4, batch_tokens=n) for n in (60, 4096))
        assert some is not None and other is not None
        np.testing.assert_allclose(some.distortion, other.distortion, rtol=1e-5)
        np.testing.assert_allclose(some.rate, other.rate, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("posterior", "prior"), [("gaussian", "standard_normal"), ("hierarchical", "vamp"), ("mixture", "hierarchical")]
    )
    def test_there_is_none_where_levels_cannot_be_told_apart(self, posterior: str, prior: str) -> None:
        model, corpus = text_model(posterior, prior), text_corpus(5)
        assert rate_distortion(model, corpus, num_samples=2) is None
        assert not likelihood(model, corpus, num_samples=2).level_kl

    def test_distortion_of_orthogonal_levels_is_known_and_falls(self) -> None:
        """W's columns are orthogonal and the prior N(0, I): each level lowers the distortion by what is known in
        closed form; means over 200 observations, 100 codes of each, within 4 standard errors."""
        weight = torch.tensor([[1.0, 0.3], [-0.5, 0.6], [0.5, 0.0], [0.0, 0.4]], dtype=F64)
        assert (weight[:, 0] @ weight[:, 1]).abs() < 1e-12
        model = oracle.observed(200, slope=0.0, scale=1.0, weight=weight)
        found = rate_distortion(model, sentences_of(model), num_samples=100)
        assert found is not None
        error_NX = model.x_NX - model.decoder.bias.detach()
        square_D = weight.square().sum(0)
        mean_ND, variance_D = error_NX @ weight / (square_D + VARIANCE), VARIANCE / (square_D + VARIANCE)
        expected = []
        for k in range(3):
            sent_D = (torch.arange(2) < k).double()
            spread = (square_D * (sent_D * variance_D + 1 - sent_D)).sum()
            squares_N = (error_NX - (mean_ND * sent_D) @ weight.T).square().sum(-1) + spread
            expected.append(0.5 * squares_N / VARIANCE + 2 * math.log(2 * math.pi * VARIANCE))
        expected_NK = torch.stack(expected, -1).numpy()
        off = found.distortion - expected_NK
        assert (np.abs(off.mean(0)) < 4 * off.std(0) / 200**0.5).all()
        drop = np.diff(expected_NK.mean(0))
        assert (drop < -0.2).all() and (np.diff(found.distortion.mean(0)) < 0.5 * drop).all()

    def test_lossy_codes_end_at_the_center(self) -> None:
        model, batch = text_model(), random_batch()
        q, p = model.posterior_of(batch), model.prior()
        torch.testing.assert_close(lossy_codes(model, 2, batch), q.center, rtol=0, atol=0)
        torch.testing.assert_close(lossy_codes(model, 0, batch), p.center.expand(5, 4))
        half = lossy_codes(model, 1, batch)
        torch.testing.assert_close(half[:, :2], q.center[:, :2], rtol=0, atol=0)
        torch.testing.assert_close(half[:, 2:], p.given(half).loc[:, 2:])  # type: ignore[union-attr]

    def test_an_evaluation_has_it_all(self) -> None:
        model, corpus = text_model(scale=0.6), text_corpus()
        settings = EvaluateConfig(iw_samples=5, quality_samples=0, samples=0, rate_distortion_samples=5)
        found = evaluate(model, corpus, settings)
        assert found["kl_z_1"] + found["kl_z_2"] == pytest.approx(found["kl"], rel=1e-6)
        assert [row["levels"] for row in found.rate_distortion] == [0, 1, 2]
        last = found.rate_distortion[-1]
        assert last["rate"] + last["distortion"] == pytest.approx(found["elbo_nll"], rel=1e-5)
        assert last["token_accuracy"] == found["token_accuracy"]
        assert found["active_units"] <= 4 and 0 < found["mi"] <= found["mi_cap"] and "verdict" in found
        short = evaluate(model, corpus, settings.model_copy(update={"rate_distortion_samples": 0}))
        assert not short.rate_distortion and short["kl_z_1"] == found["kl_z_1"]
        plain = evaluate(text_model("gaussian", "standard_normal"), corpus, settings)
        assert not plain.rate_distortion and "kl_z_1" not in plain


def test_rate_is_information_and_a_divergence() -> None:
    """O15: KL = MI + KL(q(z) || p(z)), within 4 standard errors of 400 single samples."""
    model, corpus = text_model(scale=0.6), text_corpus(400)
    found = information(model, corpus, np.arange(400))
    kl = likelihood(model, corpus, num_samples=20).kl
    assert found.mi is not None and found.marginal_kl is not None and kl is not None
    q = model.posterior_of(corpus.batch(range(400)))
    with torch.no_grad():
        z, log_q = q.rsample_and_log_prob((1,))
        error = (log_q - model.prior().log_prob(z)).std() / 20
    assert found.mi + found.marginal_kl == pytest.approx(kl.mean(), abs=4 * float(error))
    assert found.mi_se is not None and found.mi > 4 * found.mi_se


class TestObjectives:
    def test_kl_is_averaged_over_the_samples(self) -> None:
        group = text_model().terms(random_batch(), 7).latents[0]
        given_SBD = group.posterior.kl_per_dim_given(group.prior, group.z_SUD)  # type: ignore[attr-defined]
        assert group.kl_U is not None and given_SBD.shape == (7, 5, 4) and given_SBD[..., 2:].std(0).min() > 1e-4
        torch.testing.assert_close(group.kl_per_dim_UD, given_SBD.mean(0))
        torch.testing.assert_close(group.kl_U, given_SBD.sum(-1).mean(0))

    def test_free_bits_act_on_each_level(self) -> None:
        """A level whose dimensions are below their share of the floor pays the share and gets no gradient of the KL."""
        config = HierarchicalPosteriorConfig(levels=2, hidden_dim=5)
        posterior = config.build(feature_dim=6, latent_dim=4).double()
        with torch.no_grad():
            posterior.parameters_of.weight.zero_()
            # Means of the first level at 2, those of the second at 0.1; all scales 1.
            posterior.parameters_of.bias.copy_(torch.tensor([2.0, 2.0, 0.1, 0.1] + [0.0] * 9))
        prior = PRIORS["hierarchical"].build(latent_dim=4).double()
        q = posterior(torch.randn(3, 6, dtype=F64))
        group = scored_group("z", q, prior(), *q.rsample_and_log_prob((2,)))
        assert group.kl_per_dim_UD is not None and group.levels == 2
        penalty_B = BatchMeanFreeBitsConfig(nats=2.0).penalty(group.kl_per_dim_UD, lambda x: x.mean(0))
        torch.testing.assert_close(penalty_B, torch.full((3,), 2 * 2.0 + 2 * 0.5, dtype=F64))
        (grad,) = torch.autograd.grad(penalty_B.sum(), posterior.parameters_of.bias)
        assert (grad[:2] > 1).all() and not grad[2:4].any()

    @pytest.mark.parametrize("objective", [ELBOConfig(), IWAEConfig(samples=3)], ids=["elbo", "iwae"])
    def test_kl_of_each_level_is_reported(self, objective: Any) -> None:
        built = objective.build(steps_per_epoch=1, total_steps=1)
        numbers = built(text_model().terms(random_batch(), 3), 0).metrics_B
        torch.testing.assert_close(numbers["kl_z_1"] + numbers["kl_z_2"], numbers["kl"])
        assert "kl_z_1" not in built(text_model("gaussian", "standard_normal").terms(random_batch(), 3), 0).metrics_B

    def test_a_semi_supervised_model_reports_them_too(self) -> None:
        config = SemiSupervisedConfig(
            latent_dim=4, posterior=POSTERIORS["hierarchical"], prior=PRIORS["hierarchical"],
            encoder=LSTMEncoderConfig(**SMALL), decoder=DECODERS["lstm-every"],
        )  # fmt: skip
        model = scramble(config.build(vocab_size=11, max_tokens=9, label_names=("a", "b")), scale=0.3).eval()
        corpus = text_corpus(12)
        terms = model.terms(random_batch(labels=2), 3)  # type: ignore[operator]
        numbers = ELBOConfig().build(steps_per_epoch=1, total_steps=1)(terms, 0).metrics_B
        torch.testing.assert_close(numbers["kl_z_1"] + numbers["kl_z_2"], terms.latents[0].kl_U)
        found = likelihood(model, corpus, num_samples=3)
        assert set(found.level_kl) == {"kl_z_1", "kl_z_2"}
        assert rate_distortion(model, corpus, num_samples=3) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latent_dim": 5, "posterior": {"kind": "hierarchical"}}, "latent_dim is 5, which 2 levels"),
        ({"latent_dim": 6, "prior": {"kind": "hierarchical", "levels": 4}}, "use a multiple of 4"),
        (
            {
                "latent_dim": 12,
                "posterior": {"kind": "hierarchical", "levels": 3},
                "prior": {"kind": "hierarchical", "levels": 4},
            },
            "the posterior has 3 levels and the prior 4",
        ),
    ],
)
@pytest.mark.parametrize("model", [TextVAEConfig, SemiSupervisedConfig])
def test_levels_that_do_not_fit_are_refused_at_once(model: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(model, settings, "test")


def test_levels_that_do_not_fit_are_refused_outside_a_model() -> None:
    with pytest.raises(ConfigError, match="3 levels cannot share equally"):
        HierarchicalPriorConfig(levels=3).build(latent_dim=4)
