"""Posteriors and priors crossed with objectives: refused with the settings, or all that learns gets a gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.components import (
    IMPLICIT_OBJECTIVES,
    OBJECTIVES,
    POSTERIORS,
    PRIORS,
    SMALL,
    posterior_beside,
    prior_beside,
    random_batch,
    remembering,
    scramble,
)
from tests.oracles import linear_gaussian as oracle
from tests.oracles.linear_gaussian_vae import batch_of, linear_gaussian_vae
from textvae.config import parse
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import SemiSupervisedConfig, TextVAE, TextVAEConfig
from textvae.objectives import IWAEConfig, ObjectiveSettings, SteinConfig
from textvae.posteriors import MixturePosteriorConfig, PosteriorSettings
from textvae.priors import PriorSettings
from textvae.training import TrainConfig

ALL: dict[str, ObjectiveSettings] = {**OBJECTIVES, **IMPLICIT_OBJECTIVES, "stein": SteinConfig(samples=2)}
BUILD = {"steps_per_epoch": 1, "total_steps": 1}
PARTS: dict[str, Any] = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": LSTMDecoderConfig(**SMALL)}


def model_config(posterior: PosteriorSettings, prior: PriorSettings) -> TextVAEConfig:
    encoder, decoder = LSTMEncoderConfig(**SMALL), LSTMDecoderConfig(**SMALL)
    return TextVAEConfig(latent_dim=4, encoder=encoder, decoder=decoder, posterior=posterior, prior=prior)


def accepted(model: TextVAEConfig | SemiSupervisedConfig) -> dict[str, ObjectiveSettings]:
    """The objectives that a training of this model may have."""
    found = {}
    for name, objective in ALL.items():
        table = {"model": model.model_dump(mode="json"), "objective": objective.model_dump(mode="json")}
        try:
            parse(TrainConfig, table, "test")
        except ConfigError:
            continue
        found[name] = objective
    return found


def one_step(model: TextVAE, objective: ObjectiveSettings, part: nn.Module) -> dict[str, Tensor]:
    """The gradients of a part after a step of the whole model."""
    batch, built = random_batch(sentences=6, labels=3), objective.build(**BUILD)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for step in range(2):
        torch.manual_seed(step)
        optimizer.zero_grad()
        # At the final weight: at the first step of a schedule it may be 0, where a prior learns nothing.
        built(model.terms(batch, built.num_samples), built.first_final_step).loss_B.mean().backward()
        optimizer.step()
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in part.named_parameters()
    }


def built(config: TextVAEConfig) -> TextVAE:
    torch.manual_seed(0)
    model = config.build(vocab_size=11, max_tokens=9, label_names=("a", "b", "c"))
    remembering(model.prior)
    return scramble(model, scale=0.3).train()  # type: ignore[return-value]


PATHS = {"iwae-sticking_the_landing", "iwae-doubly_reparameterized"}
"""Gradients that need the density of any code, and draws of q itself."""

WRITTEN_DOWN = {
    "elbo", "info_vae", "info_vae-kl", "iwae-plain", "iwae-sticking_the_landing", "iwae-doubly_reparameterized",
    "renyi", "stein", "unregularized",
}  # fmt: skip
REFUSED: dict[str, set[str]] = {
    "semi_amortized": {"stein", "unregularized", "info_vae", "info_vae-kl"},
    "mixture": {"stein", *PATHS},
    "mixture-score": WRITTEN_DOWN - {"elbo", "unregularized"},
    "stein": WRITTEN_DOWN - {"stein"},
    "hamiltonian": {"stein", *PATHS},
    "hamiltonian-free": {"stein", *PATHS},
}
"""Of the objectives that are written down here, those that a posterior refuses; all others refuse `stein` alone."""


def refused_by_traits(posterior: PosteriorSettings) -> set[str]:
    """The objectives that a posterior must refuse, by what both declare: so for one that nobody wrote down."""
    found = set()
    for name, objective in ALL.items():
        if objective.for_implicit or not posterior.has_density:
            wrong = objective.for_implicit == posterior.has_density
        else:
            needs_draws = objective.gradient_estimator != "plain"
            wrong = (
                (needs_draws and (posterior.extended or not posterior.samples_are_draws))
                or (posterior.needs_linear and not objective.linear)
                # Its steps climb the bound whatever is charged: a loss that is no bound would hardly move its codes.
                or (posterior.refines_bound and not objective.bound_at_weight_one)
            )
        found |= {name} if wrong else set()
    return found


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_an_objective_is_refused_or_every_part_of_the_posterior_learns(posterior: str) -> None:
    """Gradients after one step are finite, and not all zero in any parameter of any posterior."""
    config = model_config(POSTERIORS[posterior], PRIORS[prior_beside(posterior)])
    objectives = accepted(config)
    refused = set(ALL) - set(objectives)
    assert refused == refused_by_traits(POSTERIORS[posterior])
    assert refused & WRITTEN_DOWN == REFUSED.get(posterior, {"stein"})
    for name, objective in objectives.items():
        model = built(config)
        for part, gradient in one_step(model, objective, model.posterior).items():
            assert gradient.isfinite().all(), (name, part)
            assert gradient.abs().max() > 1e-6, (name, part)


@pytest.mark.parametrize("prior", [name for name in PRIORS if PRIORS[name].learned])
def test_an_objective_is_refused_or_every_part_of_the_prior_learns(prior: str) -> None:
    config = model_config(POSTERIORS[posterior_beside(prior)], PRIORS[prior])
    objectives = accepted(config)
    refused = set(ALL) - set(objectives)
    assert refused == {name for name, found in ALL.items() if found.for_implicit or not found.trains_prior}
    assert refused & WRITTEN_DOWN == {"stein", "unregularized"}
    for name, objective in objectives.items():
        model = built(config)
        for part, gradient in one_step(model, objective, model.prior).items():
            assert gradient.isfinite().all(), (name, part)
            assert gradient.abs().max() > 1e-6, (name, part)


@pytest.mark.parametrize("name", ["gaussian", "von_mises_fisher-learned", "mixture", "hierarchical"])
def test_with_labels_too_an_objective_is_refused_or_every_part_of_the_posterior_learns(name: str) -> None:
    """Some labels are known and some are not, so that of some sentences all but one weigh nothing."""
    parts = model_config(POSTERIORS[name], PRIORS[prior_beside(name)]).model_dump(exclude={"kind"})
    config = SemiSupervisedConfig.model_validate(parts)
    objectives = accepted(config)
    refused = set(ALL) - set(objectives)
    assert refused == refused_by_traits(POSTERIORS[name]) | {key for key, found in ALL.items() if found.compares_codes}
    assert refused & WRITTEN_DOWN == REFUSED.get(name, {"stein"}) | {"info_vae", "info_vae-kl"}
    batch = random_batch(sentences=6, labels=3)
    assert batch.label_B is not None
    batch.label_B[:3] = -1
    for which, objective in objectives.items():
        torch.manual_seed(0)
        model = scramble(config.build(vocab_size=11, max_tokens=9, label_names=("a", "b", "c")), scale=0.3).train()
        step = objective.build(**BUILD)
        loss_B = step(model.terms(batch, step.num_samples), 0).loss_B  # type: ignore[operator]
        assert loss_B.isfinite().all(), which
        loss_B.mean().backward()
        for part, parameter in model.posterior.named_parameters():  # type: ignore[union-attr]
            assert parameter.grad is not None and parameter.grad.isfinite().all(), (which, part)
            assert parameter.grad.abs().max() > 1e-6, (which, part)


def test_with_labels_too_the_doubly_reparameterized_gradient_is_the_plain_one_on_average() -> None:
    """Of q(z|x, y) and of q(y|x), k = 3 of each label, along the plain gradient; within 4 standard errors of 60."""
    config = SemiSupervisedConfig(latent_dim=2, classifier_dropout=0.0, **PARTS)
    torch.manual_seed(0)
    model = config.build(vocab_size=11, max_tokens=9, label_names=("a", "b"))
    scramble(model.double(), scale=0.4).eval()
    batch, parameters = random_batch(sentences=1).repeat(40), [*model.posterior.parameters()]
    parameters += model.classifier.parameters()

    def estimate(gradient: str, seed: int) -> Tensor:
        torch.manual_seed(seed)
        loss = IWAEConfig(samples=3, gradient=gradient).build(**BUILD)(model.terms(batch, 3), 0).loss_B.mean()  # type: ignore[arg-type]
        return torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, parameters)])

    direction = torch.stack([estimate("plain", seed) for seed in range(1000, 1020)]).mean(0)
    found = [
        torch.stack([estimate(name, seed) for seed in range(60)]) @ (direction / direction.norm()) for name in NAMES
    ]
    difference = found[0] - found[1]
    error = difference.std() / len(difference) ** 0.5
    assert found[0].mean() > 20 * error
    assert abs(difference.mean()) < 4 * error


def test_a_score_would_leave_the_encoder_of_a_bound_without_any_gradient() -> None:
    """What the refusal is for: the crossing above could not but notice."""
    config = model_config(POSTERIORS["mixture-score"], PRIORS["standard_normal"])
    model = built(config)
    found = one_step(model, OBJECTIVES["iwae-plain"], model.posterior)
    assert all(gradient.abs().max() < 1e-6 for gradient in found.values())


def along_the_plain_gradient(
    posterior: PosteriorSettings, beta: float, prior: str, taken: slice = slice(None)
) -> list[Tensor]:
    """Plain and doubly reparameterized gradients of the posterior, k = 4, projected on the direction of the plain one.

    Each 40 estimates from 40 times the observation of O1, on the same draws; the direction is that of 20 others.
    """
    x_NX = torch.tensor([oracle.X] * 40, dtype=torch.float64)
    torch.manual_seed(0)
    model = linear_gaussian_vae(posterior, PRIORS[prior], x_NX)
    scramble(model.posterior, scale=0.2)
    batch, parameters = batch_of(model, 40), list(model.posterior.parameters())

    def estimate(gradient: str, seed: int) -> Tensor:
        torch.manual_seed(seed)
        schedule: Any = {"kind": "constant", "weight": beta}
        objective = IWAEConfig(samples=4, gradient=gradient, kl_weight=schedule).build(**BUILD)  # type: ignore[arg-type]
        loss = objective(model.terms(batch, 4), 0).loss_B.mean()
        return torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, parameters)])[taken]

    direction = torch.stack([estimate("plain", seed) for seed in range(1000, 1020)]).mean(0)
    direction = direction / direction.norm()
    return [torch.stack([estimate(name, seed) @ direction for seed in range(40)]) for name in NAMES]


NAMES = ("plain", "doubly_reparameterized")


@pytest.mark.parametrize("posterior", [name for name in POSTERIORS if not PATHS & refused_by_traits(POSTERIORS[name])])
def test_doubly_reparameterized_gradients_are_unbiased_for_every_posterior(posterior: str) -> None:
    """At KL weight 1/2: the plain mean, far from zero, within 3 standard errors of the difference."""
    plain, double = along_the_plain_gradient(POSTERIORS[posterior], 0.5, prior_beside(posterior))
    difference = plain - double
    assert difference.mean().abs() < 3 * difference.std() / 40**0.5
    assert plain.mean() > 6 * plain.std() / 40**0.5
    assert difference.std() / 40**0.5 < 0.1 * plain.mean()


def test_strata_would_bias_doubly_reparameterized_gradients() -> None:
    """What the refusal is for: the logits' gradient (of 15 biases the first 3, after 60 weights) is another one."""
    config = MixturePosteriorConfig(components=3, estimator="stratified")
    plain, double = along_the_plain_gradient(config, 1.0, "standard_normal", taken=slice(60, 63))
    difference = plain - double
    assert difference.mean().abs() > 10 * difference.std() / 40**0.5
