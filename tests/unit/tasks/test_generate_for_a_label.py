"""Sentences for a label: from its prior or by its decoder, in Python and by the command; who has no labels says so."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from tests.components import SMALL, TINY_T, scramble
from tests.unit.pipeline.test_cli import refused, run
from textvae.decoders import DecoderConfig, LSTMDecoderConfig, TransformerDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError, ModelError
from textvae.generation import SamplingConfig
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, SemiSupervisedTextVAE, TextVAE, TextVAEConfig
from textvae.priors import ConditionalPrior, ConditionalPriorConfig
from textvae.tasks import generate_sentences
from textvae.text.tokenizers import WordConfig
from textvae.types import Context

TOKENIZER = WordConfig(vocab_size=40).train(["the old dog sleeps", "no cat loves the sea", "you and i sing"])
DECODERS: dict[str, DecoderConfig] = {
    "lstm": LSTMDecoderConfig(**SMALL),
    "lstm-cell": LSTMDecoderConfig(**SMALL, label_to="cell"),
    "transformer": TransformerDecoderConfig(**TINY_T),
    "transformer-prefix": TransformerDecoderConfig(**TINY_T, label_to="prefix"),
}
ENCODER = LSTMEncoderConfig(**SMALL)
NAMES = ("bad", "good")


def conditional(decoder: str = "lstm") -> TextVAE:
    """p(z|y) is next to a point for each label, so that what it writes is known."""
    config = TextVAEConfig(
        latent_dim=3, encoder=ENCODER, prior=ConditionalPriorConfig(num_labels=2), decoder=DECODERS[decoder]
    )
    torch.manual_seed(1)
    built = config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=7, label_names=NAMES)
    model = scramble(built, seed=3, scale=0.8).eval()
    assert isinstance(model, TextVAE) and isinstance(model.prior, ConditionalPrior) and model.prior.label is not None
    with torch.no_grad():
        model.prior.label.weight.copy_(torch.tensor([[2.0, 2, 2, -30, -30, -30], [-2, -2, -2, -30, -30, -30]]))
    model.tokenizer = TOKENIZER
    return model


def semi_supervised(decoder: str = "lstm") -> SemiSupervisedTextVAE:
    config = SemiSupervisedConfig(latent_dim=3, encoder=ENCODER, decoder=DECODERS[decoder])
    torch.manual_seed(1)
    built = config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=7, label_names=NAMES)
    model = scramble(built, seed=2, scale=0.8).eval()
    assert isinstance(model, SemiSupervisedTextVAE)
    model.tokenizer = TOKENIZER
    return model


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_label_s_codes_come_from_its_prior(decoder: str) -> None:
    model = conditional(decoder)
    bad, good = model.decode(torch.tensor([[2.0] * 3, [-2.0] * 3]))
    assert bad != good
    for name, expected in zip(NAMES, (bad, good), strict=True):
        made = generate_sentences(model, 5, label=name)
        assert [(one.text, one.label) for one in made] == [(expected, name)] * 5
        assert made == generate_sentences(model, 5, label=name)
    drawn = [generate_sentences(model, 6, label="bad", decoding=SamplingConfig(), seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert generate_sentences(model, 0, label="bad") == []


@pytest.mark.parametrize("decoder", DECODERS)
def test_without_a_label_the_prior_sums_it_out(decoder: str) -> None:
    model = conditional(decoder)
    # One is added to each count: p(y) = 0.8, 0.2.
    model.set_label_prior(torch.tensor([7.0, 1.0]))
    bad, good = model.decode(torch.tensor([[2.0] * 3, [-2.0] * 3]))
    made = generate_sentences(model, 400, seed=5)
    assert {one.label for one in made} == {None}
    assert {one.text for one in made} == {bad, good}
    share = sum(one.text == bad for one in made) / 400
    assert abs(share - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 400)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_semi_supervised_model_writes_for_a_label(decoder: str) -> None:
    model = semi_supervised(decoder)
    torch.manual_seed(3)
    z_ND = torch.cat([model.prior().sample((size,)) for size in (10, 10, 20)])
    written = {}
    for index, name in enumerate(NAMES):
        made = generate_sentences(model, 40, label=name, seed=3)
        assert {one.label for one in made} == {name}
        written[name] = [one.text for one in made]
        assert written[name] == model.decode(z_ND, context=Context(label_B=torch.full((40,), index)))
    assert written["bad"] != written["good"]
    model.set_label_prior(torch.tensor([7.0, 1.0]))
    made = generate_sentences(model, 400, seed=3)
    assert abs(sum(one.label == "bad" for one in made) / 400 - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 400)
    label_N = torch.tensor([NAMES.index(one.label or "") for one in made[:10]])
    torch.manual_seed(3)
    again = model.decode(model.prior().sample((10,)), context=Context(label_B=label_N))
    assert again == [one.text for one in made[:10]]


def test_models_without_labels_and_unknown_labels_are_refused() -> None:
    plain = TextVAEConfig(latent_dim=3, encoder=ENCODER, decoder=DECODERS["lstm"])
    for config in (plain, LanguageModelConfig(decoder=DECODERS["lstm"])):
        model = config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=7, label_names=NAMES)
        model.tokenizer = TOKENIZER
        with pytest.raises(ModelError, match="no labels, so it cannot generate for the label 'good'"):
            generate_sentences(model, 1, label="good")
    for model in (conditional(), semi_supervised()):
        with pytest.raises(ConfigError, match="no label 'great'; it knows 'bad', 'good'"):
            generate_sentences(model, 1, label="great")


def test_the_command(tmp_path: Path) -> None:
    model = conditional()
    bad, good = model.decode(torch.tensor([[2.0] * 3, [-2.0] * 3]))
    model.save_pretrained(tmp_path / "labels" / "train" / "model")
    for name, text in zip(NAMES, (bad, good), strict=True):
        assert run("generate", "labels", "-n", "2", "--label", name, cwd=tmp_path).stdout == f"{text}\n" * 2
    (made,) = json.loads(run("generate", "labels", "-n", "1", "--label", "bad", "--json", cwd=tmp_path).stdout)
    assert (made["text"], made["label"]) == (bad, "bad")
    (made,) = json.loads(run("generate", "labels", "-n", "1", "--json", cwd=tmp_path).stdout)
    assert "label" not in made
    assert "it knows 'bad', 'good'" in refused(run("generate", "labels", "--label", "x", cwd=tmp_path))

    # A run whose [train] has no labels: the classifier writes, and where there is none that is said.
    plain = TextVAEConfig(latent_dim=3, encoder=ENCODER, decoder=DECODERS["lstm"])
    unlabeled = plain.build(vocab_size=TOKENIZER.vocab_size, max_tokens=7)
    unlabeled.tokenizer = TOKENIZER
    unlabeled.save_pretrained(tmp_path / "plain" / "train" / "model")
    assert "has no labels" in refused(run("generate", "plain", "--label", "bad", cwd=tmp_path))
    semi_supervised().save_pretrained(tmp_path / "plain" / "classify" / "model")
    result = run("generate", "plain", "-n", "2", "--label", "bad", cwd=tmp_path)
    texts = [one.text for one in generate_sentences(semi_supervised(), 2, label="bad")]
    assert result.stdout.splitlines() == texts and "[classify]" in result.stderr
