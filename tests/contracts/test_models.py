"""Composition: every crossing is a model, its terms are what they say, and a folder brings it back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.components import SMALL, TINY_T, random_batch, scramble
from textvae.config import parse, variants_of
from textvae.decoders import GRUDecoderConfig, LSTMDecoderConfig, TransformerDecoderConfig
from textvae.encoders import GRUEncoderConfig, LSTMEncoderConfig, TransformerEncoderConfig
from textvae.errors import ConfigError, ModelError
from textvae.models import (
    LanguageModel,
    LanguageModelConfig,
    ModelConfig,
    ModelSettings,
    SemiSupervisedConfig,
    SemiSupervisedTextVAE,
    TextModel,
    TextVAE,
    TextVAEConfig,
    load_model,
)
from textvae.objectives import ELBOConfig
from textvae.posteriors import VonMisesFisherPosteriorConfig
from textvae.priors import HypersphericalUniformPriorConfig
from textvae.text.tokenizers import WordConfig
from textvae.types import Batch, Context

ENCODERS = {
    "lstm": LSTMEncoderConfig(**SMALL, bidirectional=True, pooling="max"),
    "gru": GRUEncoderConfig(**SMALL),
    "transformer": TransformerEncoderConfig(**TINY_T),
}
DECODERS = {
    "lstm": LSTMDecoderConfig(**SMALL),
    "gru": GRUDecoderConfig(**SMALL),
    "transformer": TransformerDecoderConfig(**TINY_T),
}
SPHERE: dict[str, Any] = {
    "posterior": VonMisesFisherPosteriorConfig(concentration={"kind": "learned"}),
    "prior": HypersphericalUniformPriorConfig(),
}
SIZES = {"vocab_size": 11, "max_tokens": 9, "label_names": ("a", "b", "c")}
CONFIGS: dict[str, ModelConfig] = {
    **{
        f"{e}-{d}": TextVAEConfig(latent_dim=3, encoder=ENCODERS[e], decoder=DECODERS[d])
        for e in ENCODERS
        for d in DECODERS
    },
    "sphere-lstm": TextVAEConfig(latent_dim=3, **SPHERE, decoder=DECODERS["lstm"]),
    "semi-supervised-sphere": SemiSupervisedConfig(latent_dim=3, **SPHERE, decoder=DECODERS["lstm"]),
    "language-model-lstm": LanguageModelConfig(decoder=DECODERS["lstm"]),
    "language-model-transformer": LanguageModelConfig(decoder=DECODERS["transformer"]),
    "language-model-tied": LanguageModelConfig(
        decoder=LSTMDecoderConfig(embedding_dim=5, hidden_dim=5, tie_embeddings=True)
    ),
    "semi-supervised-lstm": SemiSupervisedConfig(latent_dim=3, encoder=ENCODERS["lstm"], decoder=DECODERS["lstm"]),
    "semi-supervised-transformer": SemiSupervisedConfig(
        latent_dim=3, encoder=ENCODERS["transformer"], decoder=DECODERS["transformer"]
    ),
    "semi-supervised-cell": SemiSupervisedConfig(
        latent_dim=3, encoder=ENCODERS["gru"], decoder=LSTMDecoderConfig(**SMALL, label_to="cell", layers=2)
    ),
    "semi-supervised-prefix": SemiSupervisedConfig(
        latent_dim=3, encoder=ENCODERS["gru"], decoder=TransformerDecoderConfig(**TINY_T, label_to="prefix")
    ),
    **{f"registered-{name}": config for name, config in variants_of(ModelConfig, ModelSettings).items()},
}


def built(name: str) -> TextModel:
    return scramble(CONFIGS[name].build(**SIZES)).eval()  # type: ignore[arg-type,return-value]


def bound(model: TextModel, batch: Batch) -> torch.Tensor:
    """The ELBO of each sentence with posteriors at a tiny scale, so that noise cannot hide a difference."""
    torch.manual_seed(0)
    terms = model.terms(batch) if model.config.has_density else model.proxy_terms(batch)
    return -ELBOConfig().build(steps_per_epoch=1, total_steps=1)(terms, 0).loss_B


@pytest.mark.parametrize("name", CONFIGS)
def test_terms_have_the_shapes_of_the_contract(name: str) -> None:
    model, batch = built(name), random_batch(labels=3)
    terms = model.terms(batch, num_samples=4)
    samples = terms.log_px_z_SB.shape[0]
    assert terms.log_weight_SB.shape == (samples, 5)
    torch.testing.assert_close(terms.log_weight_SB.exp().sum(0), torch.ones(5))
    assert terms.tokens_B.tolist() == (batch.lengths_B - 1).tolist()
    for group in terms.latents:
        assert group.z_SUD.shape[:2] == (samples, 5)
        assert group.log_p_SU.shape == (samples, 5)
        assert (group.log_q_SU is not None) == model.config.has_density
        if group.log_q_SU is not None:
            assert group.log_q_SU.shape == (samples, 5)
            assert group.kl_U is not None and group.kl_U.shape == (5,)
    assert bool(terms.latents) == model.has_code == model.config.has_code
    assert model.config.exact == (not terms.latents)
    assert model.config.beside_code or not (model.has_code and model.decodes_labels)
    torch.testing.assert_close(model(batch).tokens_B, terms.tokens_B)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_folder_brings_the_model_back(name: str, tmp_path: Path) -> None:
    model = built(name)
    model.tokenizer = WordConfig(vocab_size=11).train(["one two three four five six seven"])
    model.save_pretrained(tmp_path / "model", {"corpus": "made up"})
    model.save_pretrained(tmp_path / "model")  # replaces the first
    again = load_model(tmp_path / "model")
    assert type(again) is type(model) and again.config == model.config and not again.training
    batch = random_batch(labels=3)
    torch.testing.assert_close(bound(again, batch), bound(model, batch), rtol=0, atol=0)
    assert again.tokenizer is not None and again.tokenizer.encode("two") == model.tokenizer.encode("two")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        ".textvae",
        ".textvae.lock",
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer",
    ]


def test_configs_survive_json(tmp_path: Path) -> None:
    for name, config in CONFIGS.items():
        assert parse(ModelConfig, config.model_dump(mode="json"), name) == config


def test_foreign_and_truncated_folders_get_one_sentence(tmp_path: Path) -> None:
    model = built("lstm-lstm")
    folder = tmp_path / "model"
    with pytest.raises(ModelError, match="nothing does not exist; name a finished run"):
        load_model(tmp_path / "nothing")
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="expected 'language_model'"):
        LanguageModel.from_pretrained(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated"):
        TextVAE.from_pretrained(folder)
    (folder / "config.json").write_text('{"architectures": ["GPT2"]}')
    with pytest.raises(ModelError, match="not a textvae model"):
        load_model(folder)
    (folder / "config.json").write_text('{"format_version": 99, "model": {"kind": "x"}, "vocab_size": 1')
    with pytest.raises(ModelError, match="truncated"):
        load_model(folder)


def test_a_crash_between_the_renames_of_a_save_loses_nothing(tmp_path: Path) -> None:
    model = built("gru-gru")
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "model").rename(tmp_path / "model.old")
    assert isinstance(load_model(tmp_path / "model"), TextVAE)


def test_vae_with_unused_z_is_its_language_model_minus_kl() -> None:
    """Without an influence of z the bound is the language model's likelihood minus the KL, exactly."""
    vae = built("lstm-lstm")
    assert isinstance(vae, TextVAE)
    with torch.no_grad():
        vae.decoder.initial.weight.zero_()  # type: ignore[union-attr]
        vae.decoder.initial.bias.zero_()  # type: ignore[union-attr]
        for name, parameter in vae.decoder.stack.named_parameters():  # type: ignore[union-attr]
            if "weight_ih" in name:
                parameter[:, -3:] = 0.0
    lm = LanguageModelConfig(decoder=DECODERS["lstm"]).build(vocab_size=11, max_tokens=9).eval()
    state = {k: v for k, v in vae.decoder.state_dict().items() if not k.startswith("initial")}
    state["stack.forward_layers.0.weight_ih_l0"] = state["stack.forward_layers.0.weight_ih_l0"][:, :-3]
    lm.decoder.load_state_dict(state)
    batch = random_batch()
    kl = vae.terms(batch).latents[0].kl_U
    assert kl is not None
    torch.testing.assert_close(bound(vae, batch), lm.terms(batch).log_px_z_SB[0] - kl, rtol=1e-5, atol=1e-4)


class TestSemiSupervised:
    """Oracle of literature card C3: U(x) = sum_y q(y|x) L(x, y) - H(q(y|x)), and L(x, y) where y is known."""

    @pytest.fixture(params=["lstm", "cell", "transformer", "prefix"], name="model")
    def _model(self, request: pytest.FixtureRequest) -> SemiSupervisedTextVAE:
        model = built(f"semi-supervised-{request.param}")
        assert isinstance(model, SemiSupervisedTextVAE)
        with torch.no_grad():  # a posterior without noise makes the comparison exact
            model.posterior.parameters_of.bias[3:] = -30.0  # type: ignore[union-attr]
            model.posterior.parameters_of.weight[3:] = 0.0  # type: ignore[union-attr]
            model.posterior.label.weight[:, 3:] = 0.0  # type: ignore[union-attr]
        model.set_label_prior(torch.tensor([5.0, 2.0, 1.0]))
        return model

    def parts(self, model: SemiSupervisedTextVAE, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """-L(x, y) for every label, [B, C], written out label by label, and log q(y|x)."""
        features = model.encoder(batch.tokens_BT, batch.lengths_B)
        rows = []
        for label in range(3):
            context = Context(label_B=torch.full((5,), label))
            q = model.posterior(features, context)
            likelihood = model.decoder.log_prob(batch.tokens_BT, q.mean.unsqueeze(0), context)[0]
            kl = q.kl_per_dim(model.prior())
            assert kl is not None
            rows.append(likelihood + model.log_prior_C[label] - kl.sum(-1))
        return torch.stack(rows, 1), model.label_log_prob(batch)

    def test_unlabelled_bound_is_the_sum_over_labels(self, model: SemiSupervisedTextVAE) -> None:
        batch = random_batch()
        joint, log_q = self.parts(model, batch)
        expected = (log_q.exp() * (joint - log_q)).sum(-1)
        torch.testing.assert_close(bound(model, batch), expected, rtol=1e-4, atol=2e-3)

    def test_labelled_bound_is_that_of_the_label(self, model: SemiSupervisedTextVAE) -> None:
        batch = random_batch(labels=3)
        assert batch.label_B is not None
        joint, _ = self.parts(model, batch)
        expected = joint.gather(1, batch.label_B.unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(bound(model, batch), expected, rtol=1e-4, atol=2e-3)

    def test_labelled_sentences_do_not_train_the_classifier_through_the_bound(
        self, model: SemiSupervisedTextVAE
    ) -> None:
        batch = random_batch(labels=3)
        grads = torch.autograd.grad(bound(model, batch).sum(), list(model.classifier.parameters()), allow_unused=True)
        assert all(grad is None or not grad.any() for grad in grads)

    def test_classifier_gradient_equals_finite_differences(self, model: SemiSupervisedTextVAE) -> None:
        model, batch = model.double(), random_batch()
        bias = model.classifier[1].bias
        (grad,) = torch.autograd.grad(bound(model, batch).sum(), [bias])
        for index in range(3):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    bias[index] += sign * 1e-5
                    values.append(bound(model, batch).sum().item())
                    bias[index] -= sign * 1e-5
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(grad[index].item(), rel=1e-3, abs=1e-4)

    def test_bound_is_best_at_the_posterior_of_the_label(self, model: SemiSupervisedTextVAE) -> None:
        """At q(y|x) proportional to exp(-L(x, y)) the bound is logsumexp of -L: no other q(y|x) does better."""
        batch = random_batch()
        joint, _ = self.parts(model, batch)
        assert (bound(model, batch) <= joint.logsumexp(-1) + 2e-3).all()


def test_a_classifier_needs_labels() -> None:
    with pytest.raises(ConfigError, match="two labels"):
        SemiSupervisedConfig().build(vocab_size=11, max_tokens=9)


def test_number_of_parameters_counts_tied_ones_once() -> None:
    tied = LanguageModelConfig(decoder=LSTMDecoderConfig(embedding_dim=5, hidden_dim=5, tie_embeddings=True))
    free = LanguageModelConfig(decoder=LSTMDecoderConfig(embedding_dim=5, hidden_dim=5))
    sizes = {"vocab_size": 11, "max_tokens": 9}
    assert free.build(**sizes).num_parameters - tied.build(**sizes).num_parameters == 55
    assert math.isclose(tied.build(**sizes).num_parameters, 55 + 11 + 4 * 5 * (5 + 5 + 2))


@pytest.mark.parametrize("card", [{"loss": float("nan")}, {"model": object()}])
def test_a_card_that_is_no_json_is_refused_and_nothing_is_left(card: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written as JSON"):
        built("gru-gru").save_pretrained(tmp_path / "model", card)
    assert list(tmp_path.iterdir()) == []
