"""Free bits of each dimension are allowed exactly where a KL of each dimension is, and advised nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.components import CROSSED, PAIRS, POSTERIORS, PRIORS, SMALL, random_batch, remembering, scramble
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.models import SemiSupervisedConfig, TextVAEConfig
from textvae.models.support import kl_has_dimensions
from textvae.objectives import ELBOConfig, IWAEConfig, RateFreeBitsConfig
from textvae.tasks.classifier_settings import ClassifyConfig, check_classifier
from textvae.training import TrainConfig
from textvae.training.guard import remedy

SCORED = [pair for pair in PAIRS if POSTERIORS[pair[0]].has_density]
LABELS = ("a", "b", "c")


def config_of(posterior: str, prior: str) -> TextVAEConfig:
    parts: dict[str, Any] = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": LSTMDecoderConfig(**SMALL)}
    return TextVAEConfig(latent_dim=4, posterior=POSTERIORS[posterior], prior=PRIORS[prior], **parts)


CONFIGS = [config_of(*pair) for pair in SCORED]


@pytest.mark.parametrize(("posterior", "prior"), [pair for pair in SCORED if pair in CROSSED])
def test_settings_know_whether_a_kl_has_dimensions(posterior: str, prior: str) -> None:
    """Asked of a model in evaluation, where every epoch's bound is measured, and of sentences with their labels."""
    config = config_of(posterior, prior)
    model = scramble(config.build(vocab_size=11, max_tokens=9, label_names=LABELS), scale=0.2).eval()
    remembering(model.prior)
    group = model.terms(random_batch(labels=3)).latents[0]
    assert (group.kl_per_dim_UD is not None) == kl_has_dimensions(config.posterior, config.prior)


@pytest.mark.parametrize("kind", ["batch_mean", "per_sentence", "rate", "target"])
def test_the_others_are_refused_before_training(kind: str) -> None:
    for model in CONFIGS:
        settings = {"model": model, "objective": {"kind": "elbo", "free_bits": {"kind": kind}}}
        if kind in ("rate", "target") or kl_has_dimensions(model.posterior, model.prior):
            TrainConfig.model_validate(settings)
            continue
        with pytest.raises(ValidationError, match=f"'rate' or 'target' instead of '{kind}'"):
            TrainConfig.model_validate(settings)


def test_the_guard_advises_what_can_be_done() -> None:
    for model in CONFIGS:
        advice = remedy(TrainConfig(model=model), {})
        kind = "batch_mean" if kl_has_dimensions(model.posterior, model.prior) else "rate"
        assert advice == f'Try train.objective.free_bits = {{ kind = "{kind}", nats = 6.0 }}.'


def test_a_classifier_takes_over_the_parts_it_can_have() -> None:
    """And then its free bits are of a kind that fits them; other parts are refused, and the cure named."""
    for vae in CONFIGS:
        if vae.prior.label_count or vae.prior.sees_codes:
            with pytest.raises(ConfigError, match=r"\[classify.model\] of its own, .* prior"):
                check_classifier(ClassifyConfig(), vae)
            continue
        model, objective = check_classifier(ClassifyConfig(), vae)
        assert (model.posterior, model.prior) == (vae.posterior, vae.prior) and isinstance(objective, ELBOConfig)
        assert isinstance(objective.free_bits, RateFreeBitsConfig) != kl_has_dimensions(model.posterior, model.prior)
        TrainConfig(model=model, objective=objective)


def test_a_classifier_refuses_gradients_that_its_cross_entropy_cannot_have() -> None:
    settings = ClassifyConfig(objective=IWAEConfig(gradient="doubly_reparameterized"))
    with pytest.raises(ConfigError, match=r'set classify.objective.gradient = "plain"'):
        check_classifier(settings, TextVAEConfig())
    own = ClassifyConfig(model=SemiSupervisedConfig(latent_dim=3))
    assert check_classifier(own, TextVAEConfig())[0].latent_dim == 3
