"""Every posterior with every prior is a sentence VAE that learns, whatever the decoder; and what a prior is told."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tests.components import (
    CROSSED,
    EXTENDED,
    PAIRS,
    POSTERIORS,
    PRIORS,
    SMALL,
    TINY_T,
    WITHOUT_DENSITY,
    composed_prior,
    objective_beside,
    posterior_beside,
    prior_beside,
    random_batch,
    remembering,
    scramble,
)
from textvae.config import parse
from textvae.decoders import DecoderConfig, LSTMDecoderConfig, TransformerDecoderConfig
from textvae.distributions import DiagonalGaussian, GaussianMixture
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import SemiSupervisedConfig, TextVAE, TextVAEConfig, load_model
from textvae.objectives import ELBOConfig
from textvae.priors import (
    ConditionalPrior,
    ConditionalPriorConfig,
    PriorConfig,
    StandardNormalPriorConfig,
    VampPrior,
)
from textvae.tasks import impute, interpolate, reconstruct
from textvae.text.tokenizers import WordConfig
from textvae.types import Batch, Context

DECODERS: dict[str, DecoderConfig] = {
    "lstm": LSTMDecoderConfig(**SMALL),
    "transformer": TransformerDecoderConfig(**TINY_T),
}
LABELS = ("a", "b", "c")
D = 4
OBJECTIVE = ELBOConfig().build(steps_per_epoch=1, total_steps=1)


def built(posterior: str = "gaussian", prior: str = "standard_normal", decoder: str = "lstm") -> TextVAE:
    config = TextVAEConfig(
        latent_dim=D,
        encoder=LSTMEncoderConfig(**SMALL),
        posterior=POSTERIORS[posterior],
        prior=PRIORS[prior],
        decoder=DECODERS[decoder],
    )
    model = config.build(vocab_size=11, max_tokens=9, label_names=LABELS)
    remembering(model.prior)
    return model


def train(model: TextVAE, batch: Batch, steps: int, objective: Any = OBJECTIVE) -> None:
    """Adam on the bound, two samples a step; no gradient is missing, none is NaN."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(model.terms(batch, 2), 0).loss_B.sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        optimizer.step()
    model.eval()


@pytest.mark.parametrize(
    ("posterior", "prior", "decoder"),
    [*((q, p, "lstm") for q, p in CROSSED), *((q, prior_beside(q), "transformer") for q in POSTERIORS)],
)
def test_every_crossing_takes_a_step(posterior: str, prior: str, decoder: str) -> None:
    model, batch = built(posterior, prior, decoder), random_batch(labels=3)
    objective = objective_beside(posterior).build(steps_per_epoch=1, total_steps=1)
    train(model, batch, steps=1, objective=objective)
    with torch.no_grad():
        assert objective(model.terms(batch), 0).loss_B.isfinite().all()
        assert model.prior().sample((4,)).isfinite().all()
        assert model.posterior_of(batch).center.isfinite().all()


@pytest.mark.parametrize(
    ("posterior", "prior"),
    [*((name, prior_beside(name)) for name in POSTERIORS), *((posterior_beside(name), name) for name in PRIORS)],
)
def test_every_family_learns(posterior: str, prior: str) -> None:
    """Twenty steps lower the loss, by the same 64 samples before and after."""
    model, batch = built(posterior, prior), random_batch(labels=3)
    objective = objective_beside(posterior).build(steps_per_epoch=1, total_steps=1)

    def loss() -> float:
        torch.manual_seed(1)
        with torch.no_grad():
            return float(objective(model.eval().terms(batch, 64), 0).loss_B.mean())

    before = loss()
    train(model, batch, steps=20, objective=objective)
    assert loss() < before - 0.1


@pytest.mark.parametrize("posterior", [name for name in POSTERIORS if name not in WITHOUT_DENSITY])
def test_half_precision_ends_before_the_density(posterior: str) -> None:
    """Under bf16 autocast codes and densities are float32 and belong together."""
    prior = "vamp" if (posterior, "vamp") in PAIRS else prior_beside(posterior)
    model = scramble(built(posterior, prior), scale=0.1)
    assert isinstance(model, TextVAE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.terms(random_batch(), 3)
        group = terms.latents[0]
        terms.log_px_z_SB.sum().backward()
    assert group.log_q_SU is not None
    assert group.z_SUD.dtype == group.log_q_SU.dtype == group.log_p_SU.dtype == torch.float32
    if posterior not in EXTENDED:
        torch.testing.assert_close(group.posterior.log_prob(group.z_SUD), group.log_q_SU, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(group.prior.log_prob(group.z_SUD), group.log_p_SU, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_tasks_have_a_code_for_every_sentence(posterior: str) -> None:
    """Also where the posterior has no mean: there its center stands for the sentence."""
    model = scramble(built(posterior, prior_beside(posterior))).eval()
    assert isinstance(model, TextVAE)
    texts = ["one two three", "four five"]
    model.tokenizer = WordConfig(vocab_size=11).train(["one two three four five six seven"])
    codes = model.encode(texts)
    assert codes.shape == (2, D) and codes.isfinite().all()
    torch.testing.assert_close(model.encode(texts), codes, rtol=0, atol=0)
    assert reconstruct(model, texts)[0].text == texts[0]
    assert len(interpolate(model, *texts, steps=3).texts) == 3
    assert impute(model, "one ___ three", samples=4)[0].answers


@pytest.mark.parametrize("prior", PRIORS)
def test_a_folder_brings_the_prior_back(prior: str, tmp_path: Path) -> None:
    model = built(posterior_beside(prior), prior)
    scramble(model).eval().save_pretrained(tmp_path / "model")  # type: ignore[operator]
    again = load_model(tmp_path / "model")
    z = torch.randn(7, D)
    torch.testing.assert_close(again.prior().log_prob(z), model.prior().log_prob(z), rtol=0, atol=0)  # type: ignore[operator]


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_a_folder_brings_the_posterior_back(posterior: str, tmp_path: Path) -> None:
    """After two steps of training, whose statistics belong to it: the same codes, densities and likelihoods."""
    model = scramble(built(posterior, prior_beside(posterior)), scale=0.3)
    assert isinstance(model, TextVAE)
    train(model, random_batch(labels=3), 2, objective_beside(posterior).build(steps_per_epoch=1, total_steps=1))
    model.eval().save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.config == model.config
    found = []
    for each in (model, again):
        torch.manual_seed(0)
        found.append(each.terms(random_batch(labels=3, seed=1), 3))
    (ours,), (theirs,) = (terms.latents for terms in found)
    torch.testing.assert_close(theirs.z_SUD, ours.z_SUD, rtol=0, atol=0)
    torch.testing.assert_close(found[1].log_px_z_SB, found[0].log_px_z_SB, rtol=0, atol=0)
    torch.testing.assert_close(theirs.posterior.center, ours.posterior.center, rtol=0, atol=0)
    if ours.log_q_SU is None:
        assert theirs.log_q_SU is None and posterior in WITHOUT_DENSITY
    else:
        torch.testing.assert_close(theirs.log_q_SU, ours.log_q_SU, rtol=0, atol=0)


ONE_FOR_ALL = [
    (q, p) for q, p in CROSSED if not (PRIORS[p].label_count or PRIORS[p].sees_codes) and q not in WITHOUT_DENSITY
]


@pytest.mark.parametrize(("posterior", "prior"), ONE_FOR_ALL)
def test_every_crossing_is_semi_supervised_too(posterior: str, prior: str) -> None:
    config = SemiSupervisedConfig(
        latent_dim=D,
        encoder=LSTMEncoderConfig(**SMALL),
        posterior=POSTERIORS[posterior],
        prior=PRIORS[prior],
        decoder=LSTMDecoderConfig(**SMALL),
    )
    model = config.build(vocab_size=11, max_tokens=9, label_names=LABELS)
    batch = random_batch(labels=3)
    assert batch.label_B is not None
    half = Batch(batch.tokens_BT, batch.lengths_B, batch.label_B.masked_fill(torch.arange(5) < 2, -1))
    terms = model.terms(half, 2)
    torch.testing.assert_close(terms.log_weight_SB.exp().sum(0), torch.ones(5))
    OBJECTIVE(terms, 0).loss_B.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


class TestVamp:
    def test_density_is_the_mean_of_the_posterior_at_the_pseudo_inputs(self) -> None:
        model = scramble(built("mixture", "vamp"))
        assert isinstance(model, TextVAE) and isinstance(model.prior, VampPrior)
        z = torch.randn(6, 5, D)
        q = model.posterior(model.prior.pseudo_KH)
        expected = torch.stack([q.rows(k).log_prob(z) for k in range(4)]).logsumexp(0) - torch.log(torch.tensor(4.0))
        torch.testing.assert_close(model.prior().log_prob(z), expected, rtol=1e-4, atol=1e-4)

    def test_posterior_is_counted_and_saved_once(self) -> None:
        model = built("gaussian", "vamp")
        names = [name for name, _ in model.named_parameters() if name.startswith("prior")]
        assert names == ["prior.pseudo_KH"]

    def test_a_copy_has_a_prior_of_its_own(self) -> None:
        model = built("gaussian", "vamp")
        other = copy.deepcopy(model)
        before = model.prior().log_prob(torch.zeros(D))
        scramble(other.posterior)
        torch.testing.assert_close(model.prior().log_prob(torch.zeros(D)), before, rtol=0, atol=0)
        assert (other.prior().log_prob(torch.zeros(D)) - before).abs() > 1e-3

    def test_outside_a_model_it_says_what_is_missing(self) -> None:
        with pytest.raises(ConfigError, match="no posterior"):
            PRIORS["vamp"].build(latent_dim=D)()


class TestZeroMean:
    """Card C7."""

    def test_kl_is_that_of_the_scales_alone(self) -> None:
        q = scramble(POSTERIORS["zero_mean"].build(feature_dim=5, latent_dim=3))(torch.randn(4, 5))
        variance = q.variance
        p = StandardNormalPriorConfig().build(latent_dim=3)()
        assert not q.mean.any() and (variance.std(0) > 0.01).all()
        torch.testing.assert_close(q.kl_per_dim(p), 0.5 * (variance - 1 - variance.log()))

    def test_variance_head_is_the_law_of_a_variance_layer(self) -> None:
        posterior = scramble(POSTERIORS["zero_mean-variance"].build(feature_dim=5, latent_dim=3))
        x = torch.randn(4, 5)
        weight_scale = posterior.draws.weight_scale  # type: ignore[union-attr]
        torch.testing.assert_close(posterior(x).variance, x.square() @ weight_scale.square().T)


class TestConditional:
    """Card B1."""

    def prior(self) -> ConditionalPrior:
        prior = scramble(ConditionalPriorConfig(num_labels=3).build(latent_dim=2))
        assert isinstance(prior, ConditionalPrior)
        prior.set_label_prior(torch.tensor([4.0, 1.0, 2.0]))
        return prior

    def test_each_label_has_its_gaussian(self) -> None:
        prior, label_B = self.prior(), torch.tensor([2, 0, 2])
        p = prior(Context(label_B=label_B))
        assert isinstance(p, DiagonalGaussian) and p.batch_shape == (3,)
        torch.testing.assert_close(p.loc[0], p.loc[2], rtol=0, atol=0)
        assert (p.loc[0] - p.loc[1]).abs().max() > 0.01
        # p(z|c) = q makes the KL zero.
        assert p.kl_per_dim(p).abs().max() == 0  # type: ignore[union-attr]

    def test_unknown_labels_are_summed_out(self) -> None:
        prior, z = self.prior(), torch.randn(5, 3, 2)
        share_C = torch.tensor([5.0, 2.0, 3.0]) / 10
        each_C = [prior(Context(label_B=torch.tensor([c]))).log_prob(z) for c in range(3)]
        summed = (torch.stack(each_C).exp() * share_C.view(3, 1, 1)).sum(0).log()
        torch.testing.assert_close(prior().log_prob(z), summed)
        some = prior(Context(label_B=torch.tensor([1, -1, 2])))
        assert isinstance(some, GaussianMixture) and some.batch_shape == (3,)
        found = some.log_prob(z)
        for row, expected in enumerate((each_C[1], summed, each_C[2])):
            torch.testing.assert_close(found[:, row], expected[:, row])
        grads = torch.autograd.grad(found.sum(), list(prior.parameters()))
        assert all(grad.isfinite().all() and grad.any() for grad in grads)

    def test_before_training_the_model_is_the_unconditional_one_to_the_last_bit(self) -> None:
        batch = random_batch(labels=3)
        losses = []
        for prior in ("standard_normal", "conditional"):
            model = built(prior=prior).eval()
            for name, parameter in model.named_parameters():
                if not name.startswith("prior"):
                    torch.manual_seed(len(name))
                    torch.nn.init.normal_(parameter)
            torch.manual_seed(0)
            losses.append(OBJECTIVE(model.terms(batch), 0).loss_B)
        torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=0)

    def test_the_batch_s_labels_reach_the_prior(self) -> None:
        model, batch = scramble(built(prior="conditional")), random_batch(labels=3)
        assert isinstance(model, TextVAE) and batch.label_B is not None
        group = model.terms(batch).latents[0]
        assert group.kl_U is not None and group.prior.batch_shape == (5,)
        other = Batch(batch.tokens_BT, batch.lengths_B, (batch.label_B + 1) % 3)
        assert (model.terms(other).latents[0].kl_U - group.kl_U).abs().min() > 1e-4  # type: ignore[operator]
        hidden = model.terms(Batch(batch.tokens_BT, batch.lengths_B)).latents[0]
        assert hidden.kl_U is None and hidden.prior.batch_shape == ()

    def test_a_vector_goes_through_a_network(self) -> None:
        prior = scramble(ConditionalPriorConfig(vector_dim=4).build(latent_dim=2))
        p = prior(Context(vector_BH=torch.randn(3, 4)))
        assert p.batch_shape == (3,) and (p.mean[0] - p.mean[1]).abs().max() > 0.01
        with pytest.raises(ConfigError, match="vector of 4 numbers"):
            prior()

    @pytest.mark.parametrize("settings", [{}, {"num_labels": 3, "vector_dim": 2}])
    def test_config_names_one_condition(self, settings: dict[str, int]) -> None:
        with pytest.raises(ConfigError, match="either num_labels or vector_dim"):
            parse(PriorConfig, {"kind": "conditional", **settings}, "test")

    def test_models_refuse_what_their_corpus_does_not_have(self) -> None:
        labels = TextVAEConfig(prior=ConditionalPriorConfig(num_labels=3))
        with pytest.raises(ConfigError, match="3 labels, and the corpus has 0"):
            labels.build(vocab_size=11, max_tokens=9)
        with pytest.raises(ValidationError, match="the same for all labels and sentences"):
            SemiSupervisedConfig(prior=ConditionalPriorConfig(num_labels=3))


def test_kinds_are_told_apart_and_survive_json() -> None:
    for posterior, prior in PAIRS:
        configs = {"posterior": POSTERIORS[posterior], "prior": PRIORS[prior]}
        model = TextVAEConfig.model_validate({name: config.model_dump(mode="json") for name, config in configs.items()})
        assert {"posterior": model.posterior, "prior": model.prior} == configs
    with pytest.raises(ConfigError, match="expected one of"):
        parse(TextVAEConfig, {"kind": "text_vae", "prior": {"kind": "flat"}}, "test")
    assert TextVAEConfig().prior == StandardNormalPriorConfig()


def test_a_prior_needs_nothing_it_does_not_ask_for() -> None:
    for name in PRIORS:
        prior = composed_prior(PRIORS[name], D)
        assert prior(Context(example_id_B=torch.arange(2))).event_shape == (D,)
