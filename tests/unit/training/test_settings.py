"""What cannot work is refused while a recipe is read, not after hours of training; what can is accepted."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest

from tests.components import OBJECTIVES, PRIORS
from tests.unit.training.helpers import LANGUAGE_MODEL, MODEL, config
from textvae.errors import ConfigError
from textvae.objectives import ScheduleConfig
from textvae.training import TrainConfig


def posterior(**settings: Any) -> dict[str, Any]:
    return {"model": {**MODEL, "posterior": settings}}


def sphere(kind: str, nats: float) -> dict[str, Any]:
    concentration = {"kind": "rate", "nats": nats}
    parts = {"prior": {"kind": "hyperspherical_uniform"}, "posterior": {"kind": kind, "concentration": concentration}}
    return {"model": {**MODEL, **parts}}


def weight(epochs: int = 5, **schedule: Any) -> dict[str, Any]:
    return {"epochs": epochs, "objective": {"kind": "elbo", "kl_weight": schedule}}


def linear(start: float, end: float, unit: str = "epochs", **more: Any) -> dict[str, Any]:
    return {"kind": "linear", "start": start, "end": end, "unit": unit, **more}


def fresh(decoder_after: int = 2, **schedule: Any) -> dict[str, Any]:
    return {**weight(**schedule), "fresh_decoder": decoder_after}


SEMI = {"model": {**MODEL, "kind": "semi_supervised"}}
NORMALIZED: dict[str, Any] = {"posterior": {"kind": "gaussian", "batch_norm": {}}}
STEIN: dict[str, Any] = {"objective": {"kind": "stein"}}
COMMITTED: dict[str, Any] = {"posterior": {"kind": "gaussian", "committed_rate": 2.0}, "latent_dim": 4}
LEARNED = [(p, "text_vae") for p in PRIORS if PRIORS[p].learned] + [("mixture", "semi_supervised")]

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "words of a code": (
        {"model": LANGUAGE_MODEL, "regularizers": [{"kind": "bag_of_words"}]},
        "bag_of_words regularizer reads z, which a language_model does not have; remove it",
    ),
    "committed rate": (
        posterior(kind="gaussian", committed_rate=10_000.0),
        r"committed_rate = 10000 over 3 dimensions needs scales below .*min_scale = 0.0001; commit to less than 26.1",
    ),
    **{
        f"committed rate, {prior}": (
            {"model": {**MODEL, "kind": kind, **COMMITTED, "prior": PRIORS[prior].model_dump(mode="json")}},
            f"committed_rate = 2 is a lower bound of the KL to a standard normal, and a {PRIORS[prior].kind} prior is "
            r'learned.*; use the prior standard_normal, or leave out .*free_bits = \{ kind = "rate", nats = 2 \}',
        )
        for prior, kind in LEARNED
    },
    "epochs of the weight": (
        weight(**linear(0, 30)),
        r"final weight only after 30 epochs, and training ends after epochs = 5.*; let it rise earlier",
    ),
    "more than all of training": (weight(**linear(0, 1.5, "fraction")), "after 7.5 epochs"),
    "a sigmoid's end": (weight(kind="sigmoid", center=0.9, width=0.05), "after 6.25 epochs"),
    "steps of the weight": (
        {**weight(**linear(0, 30, "steps")), "max_steps": 20},
        "after 30 steps, and training ends after max_steps = 20",
    ),
    "the weight of another objective": (
        {"epochs": 2, "objective": {"kind": "info_vae", "weight": linear(0, 3)}},
        "objective.weight gets its final weight only after 3 epochs",
    ),
    "a gradient inside of what is compiled": (
        {"model": MODEL, "compile": True, "objective": {"kind": "iwae"}},
        'the encoder would get another gradient; set compile = false, or objective.gradient = "plain"',
    ),
    "pseudo-inputs in a batch": (
        {"model": {**MODEL, **NORMALIZED, "prior": {"kind": "vamp"}}},
        "depends on the training batch.*; leave out posterior.batch_norm, or use another prior, such as mixture",
    ),
    "pseudo-inputs in a batch with labels": (
        {"model": {**SEMI["model"], **NORMALIZED, "prior": {"kind": "vamp"}}},
        "leave out posterior.batch_norm",
    ),
    "a reward for distance": (
        {"model": MODEL, "objective": {"kind": "info_vae", "alpha": 0.25, "scale": 0.5}},
        r"scale - 1 = -0.25, which would reward it; set scale to at least 1 - alpha = 0.75",
    ),
    "no number": ({"model": MODEL, "objective": {"kind": "renyi", "alpha": math.nan}}, "alpha' is nan; .*finite"),
    "a weight without end": (weight(kind="constant", weight=math.inf), "weight' is inf; .*finite"),
    "a rise without end": (weight(kind="linear", end=math.inf), "end' is inf; .*finite"),
    "vectors of labels": ({**SEMI, "objective": {"kind": "info_vae"}}, "compares vectors .* use the objective elbo"),
    "noise": (
        {**posterior(kind="stein", noise_dim=2), **STEIN},
        "noise_dim is 2, expected at least latent_dim = 3: .*; raise it, or leave it out",
    ),
    **{
        f"refined posteriors, {name}": (
            {**posterior(kind="semi_amortized"), "epochs": 5, "objective": objective},
            r'bound at KL weight 1, .*; set objective.kl_weight = \{ kind = "constant", weight = 1.0 \} .*"gaussian"',
        )
        for name, objective in {
            "annealed": {"kind": "elbo", "kl_weight": linear(0, 4)},
            "another weight": {"kind": "iwae", "kl_weight": {"kind": "constant", "weight": 0.5}},
            "no KL": {"kind": "unregularized"},
            "another divergence": {"kind": "info_vae"},
        }.items()
    },
    "rate of a sphere": (
        sphere("von_mises_fisher", 1000.0),
        "no concentration .* gives a KL of 1000 nats in 3 dimensions; ask for at most",
    ),
    "rate of a sphere, power spherical": (
        sphere("power_spherical", 1000.0),
        "no concentration .* gives a KL of 1000 nats in 3 dimensions; ask for at most",
    ),
    "fresh decoder, weight 1": (
        fresh(kind="constant"),
        r'kl_weight is above 0, .*; set .*kl_weight = \{ kind = "linear", start = 2, end = 5, unit = "epochs" \}',
    ),
    "fresh decoder, too early a rise": (fresh(**linear(1.9, 4)), "kl_weight is above 0"),
    "fresh decoder, too early a fraction": (fresh(**linear(0.3, 0.6, "fraction")), "kl_weight is above 0"),
    "fresh decoder, a rise from above": (fresh(**linear(2, 4, initial=0.1)), "kl_weight is above 0"),
    "fresh decoder, a rise at the first step": (fresh(**linear(0, 40, "steps")), "kl_weight is above 0"),
    "fresh decoder, sigmoid": (fresh(kind="sigmoid"), "kl_weight is above 0"),
    "fresh decoder, cycles": (fresh(kind="cyclical"), "kl_weight is above 0"),
    "fresh decoder, no weight": (
        {**posterior(kind="stein"), **STEIN, "epochs": 5, "fresh_decoder": 2},
        "the objective stein has no weight that could be 0",
    ),
    "fresh decoder, no encoder": (
        {**fresh(**linear(2, 4)), "model": LANGUAGE_MODEL},
        "fresh_decoder keeps what the encoder learned, and a language_model has none; remove it",
    ),
    "fresh decoder at the end": (fresh(5, **linear(5, 5)), "must be before the end"),
    "rate of a sphere with labels": (
        {"model": {**sphere("von_mises_fisher", 1000.0)["model"], "kind": "semi_supervised"}},
        "no concentration",
    ),
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "committed rate": posterior(kind="gaussian", committed_rate=26.0),
    "committed rate, the prior it is for": {"model": {**MODEL, **COMMITTED, "prior": {"kind": "standard_normal"}}},
    "no rate beside a learned prior": {
        "model": {**MODEL, "posterior": {"kind": "gaussian"}, "prior": {"kind": "mixture"}},
        "objective": {"kind": "elbo", "free_bits": {"kind": "rate", "nats": 2.0}},
    },
    "to the last epoch": weight(**linear(0, 5)),
    "all of training": weight(**linear(0, 1, "fraction")),
    "a sigmoid": weight(kind="sigmoid"),
    "cycles to the end": weight(kind="cyclical", cycles=7, zero=0.5, rise=0.5),
    "steps, of which nobody knows": weight(**linear(0, 30, "steps")),
    "steps to the last": {**weight(**linear(0, 20, "steps")), "max_steps": 20},
    "fresh decoder": fresh(**linear(2, 4)),
    "fresh decoder, a fraction": fresh(**linear(0.4, 0.8, "fraction")),
    "fresh decoder, a long first cycle": fresh(kind="cyclical", cycles=1),
    "fresh decoder, steps": fresh(**linear(40, 80, "steps")),
    "fresh decoder, no KL at all": {"objective": {"kind": "unregularized"}, "epochs": 5, "fresh_decoder": 2},
    "as much noise": {**posterior(kind="stein", noise_dim=3), **STEIN},
    "rate of a sphere": sphere("von_mises_fisher", 10.0),
    "refined posteriors": {**posterior(kind="semi_amortized"), "objective": {"kind": "renyi"}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_with_the_cure(name: str) -> None:
    settings, said = REFUSED[name]
    with pytest.raises(ConfigError, match=said):
        config(**settings)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_just_possible_is_accepted(name: str) -> None:
    assert isinstance(config(**ACCEPTED[name]), TrainConfig)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_schedule_of_an_objective_is_known(name: str) -> None:
    """One under a new name would slip through."""
    kinds = tuple(get_args(get_args(ScheduleConfig)[0]))
    scheduled = [field for field, value in OBJECTIVES[name] if isinstance(value, kinds)]
    assert list(OBJECTIVES[name].weights) == scheduled
