"""Codes on the sphere: which parts go together, what concentration is, and models that train, score and speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from tests.components import DECODERS, POSTERIORS, PRIORS, SMALL, random_batch, scramble
from tests.oracles.corpus import ListCorpus
from textvae.config import parse
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.evaluation import EvaluateConfig, evaluate
from textvae.evaluation.information import active_units_of_sums
from textvae.generation import SamplingConfig
from textvae.models import ModelConfig, SemiSupervisedConfig, TextVAEConfig
from textvae.objectives import ELBOConfig
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.stages import STAGES
from textvae.pipeline.stages.interpolate import InterpolateStage
from textvae.posteriors import PowerSphericalPosteriorConfig, VonMisesFisherPosteriorConfig
from textvae.posteriors.spherical import concentration_of_rate
from textvae.priors import HypersphericalUniformPriorConfig
from textvae.training.guard import CollapseGuard
from textvae.training.loss import sums_of_means
from textvae.types import Context

KINDS = {"von_mises_fisher": VonMisesFisherPosteriorConfig, "power_spherical": PowerSphericalPosteriorConfig}
MISFITS = [(q, p) for q in POSTERIORS for p in PRIORS if POSTERIORS[q].support != PRIORS[p].support]
SPHERE: dict[str, Any] = {"prior": HypersphericalUniformPriorConfig(), "encoder": LSTMEncoderConfig(**SMALL)}
SIZES = {"vocab_size": 11, "max_tokens": 9}


@pytest.mark.parametrize("model", ["text_vae", "semi_supervised"])
def test_parts_in_different_spaces_are_refused_with_the_cure(model: str) -> None:
    for posterior, prior in MISFITS:
        written = {
            "kind": model,
            "latent_dim": 3,
            "posterior": POSTERIORS[posterior].model_dump(),
            "prior": PRIORS[prior].model_dump(),
        }
        cure = "standard_normal" if POSTERIORS[posterior].support == "euclidean" else "hyperspherical_uniform"
        with pytest.raises(ConfigError, match=f"a {POSTERIORS[posterior].kind} posterior .*use .*{cure}"):
            parse(ModelConfig, written, "recipe")


def test_a_sphere_needs_two_dimensions() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        TextVAEConfig(latent_dim=1, posterior=VonMisesFisherPosteriorConfig(), **SPHERE)
    for config in (*KINDS.values(), HypersphericalUniformPriorConfig):
        sizes = {"latent_dim": 1} if config is HypersphericalUniformPriorConfig else {"latent_dim": 1, "feature_dim": 3}
        with pytest.raises(ConfigError, match="at least 2"):
            config().build(**sizes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("latent_dim", "nats"), [(2, 0.01), (16, 5.0), (128, 40.0)])
def test_a_rate_is_the_kl_of_every_sentence(kind: str, latent_dim: int, nats: float) -> None:
    posterior = KINDS[kind](concentration={"kind": "rate", "nats": nats}).build(feature_dim=6, latent_dim=latent_dim)
    prior = HypersphericalUniformPriorConfig().build(latent_dim=latent_dim)
    kl_B = kl_divergence(posterior(torch.randn(4, 6)), prior())
    torch.testing.assert_close(kl_B, torch.full((4,), nats), rtol=1e-5, atol=0)
    assert not posterior.state_dict().keys() - {"parameters_of.weight", "parameters_of.bias"}


def test_a_rate_beyond_reach_is_refused_with_the_greatest() -> None:
    with pytest.raises(ConfigError, match="at most 7"):
        concentration_of_rate(VonMisesFisherPosteriorConfig().build(feature_dim=2, latent_dim=2).family, 2, 100.0)


@pytest.mark.parametrize("kind", KINDS)
def test_concentration_is_fixed_or_learned_from_the_sentence(kind: str) -> None:
    fixed = KINDS[kind](concentration={"kind": "fixed", "value": 80}).build(feature_dim=6, latent_dim=5)
    assert fixed(torch.randn(3, 6)).concentration.tolist() == [80.0] * 3
    config = KINDS[kind](concentration={"kind": "learned", "floor": 4.0})
    learned = config.build(feature_dim=6, latent_dim=5, num_labels=2)
    q = learned(50 * torch.randn(30, 6), Context(label_B=torch.zeros(30, dtype=torch.int64)))
    assert q.concentration.min() >= 4.0 and q.concentration.std() > 1.0
    with torch.no_grad():
        learned.label.weight[1] = torch.tensor([1e6, 0.0, 0.0, 0.0, 0.0, 7.0])
    one = learned(torch.zeros(1, 6), Context(label_B=torch.tensor([1])))
    torch.testing.assert_close(one.loc, torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]), rtol=0, atol=1e-5)
    assert 10.0 < one.concentration.item() < 12.0
    with torch.no_grad():
        learned.label.weight[1, 5] = 1e12
    assert learned(torch.zeros(1, 6), Context(label_B=torch.tensor([1]))).concentration.item() == 1e6


@pytest.mark.parametrize("name", [name for name in POSTERIORS if POSTERIORS[name].support == "sphere"])
@pytest.mark.parametrize("decoder", ["lstm-both-2-layers", "transformer-prefix"])
def test_a_model_on_the_sphere_trains_in_float32(name: str, decoder: str) -> None:
    """Thirty steps on one batch: every gradient is finite, the bound improves, the KL of a rate stays what it is."""
    config = TextVAEConfig(latent_dim=8, posterior=POSTERIORS[name], decoder=DECODERS[decoder], **SPHERE)
    model, batch = config.build(**SIZES), random_batch(sentences=16)
    objective = ELBOConfig().build(steps_per_epoch=1, total_steps=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    losses = []
    for step in range(30):
        output = objective(model.terms(batch, num_samples=2), step)
        optimizer.zero_grad()
        output.loss_B.mean().backward()
        for parameter_name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
        optimizer.step()
        losses.append(output.loss_B.mean().item())
    assert losses[-1] < losses[0] - 0.5
    if name.endswith("rate"):
        torch.testing.assert_close(output.metrics_B["kl"], torch.full((16,), 2.0), rtol=1e-5, atol=0)


def test_a_semi_supervised_model_on_the_sphere_has_its_kl_in_closed_form() -> None:
    config = SemiSupervisedConfig(
        latent_dim=4, posterior=VonMisesFisherPosteriorConfig(concentration={"kind": "rate", "nats": 3.0}), **SPHERE
    )
    model, batch = config.build(**SIZES, label_names=("a", "b", "c")), random_batch(labels=3)
    assert batch.label_B is not None
    batch.label_B[:2] = -1
    group = model.terms(batch).latents[0]
    assert group.kl_U is not None and group.kl_per_dim_UD is None
    torch.testing.assert_close(group.kl_U, torch.full((5,), 3.0), rtol=1e-5, atol=0)


def test_a_model_on_the_sphere_is_evaluated_like_any_other() -> None:
    """KL = MI + KL(q(z) || p(z)) within 4 standard errors; units are active though 128 variances sum to at most 1."""
    rate = VonMisesFisherPosteriorConfig(concentration={"kind": "rate", "nats": 60.0})
    config = TextVAEConfig(latent_dim=128, posterior=rate, decoder=DECODERS["lstm-every"], **SPHERE)
    model = scramble(config.build(**SIZES), scale=2.0).eval()
    rng = np.random.default_rng(0)
    corpus = ListCorpus([rng.integers(4, 11, rng.integers(1, 9)).tolist() for _ in range(200)])
    settings = EvaluateConfig(iw_samples=5, quality_samples=8, samples=2, decoding=SamplingConfig(max_tokens=9))
    found = evaluate(model, corpus, settings)
    assert found["kl"] == pytest.approx(60.0, rel=1e-4)
    assert found["mi"] + found["marginal_kl"] == pytest.approx(60.0, abs=4 * 8 / 200**0.5)  # log q varies by about 8
    assert 1.0 < found["mi"] <= found["mi_cap"] + 1e-3
    means = found.latent_means
    assert means is not None and means.var(0).max() < 0.01 and found["active_units"] > 64
    terms = model.terms(corpus.batch(range(200)))
    assert active_units_of_sums(sums_of_means(terms), 200) == pytest.approx(found["active_units"], abs=2)
    # The guard looks at the same sentences and sees the same units.
    guard = CollapseGuard(corpus, 200, 16_384)
    assert guard.measure(model)["guard_active_units"] == found["active_units"]


def test_a_recipe_that_draws_lines_through_a_sphere_is_refused_before_it_trains(tmp_path: Path) -> None:
    sphere = {"posterior": {"kind": "von_mises_fisher"}, "prior": {"kind": "hyperspherical_uniform"}}
    model = {"kind": "text_vae", **sphere}
    for kind in ("linear", "spherical"):
        tables = {"train": {"model": model}, "interpolate": {"kind": kind}}
        recipe = Recipe("x", "", 0, ("x", {}), tables, tmp_path, "recipe x")
        settings = checked_settings(recipe, STAGES)
        if kind == "linear":
            with pytest.raises(ConfigError, match="use 'spherical'"):
                InterpolateStage().check_settings(settings)
        else:
            InterpolateStage().check_settings(settings)
