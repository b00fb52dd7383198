"""A Hamiltonian posterior from the recipe to the report: trained, resumed, started from a Gaussian run, measured."""

from __future__ import annotations

import json
import math
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.components import scramble
from tests.unit.training.helpers import (
    LABELS,
    MODEL,
    config,
    lines,
    sentences,
    training_lines,
    validation_lines,
    without_times,
    write_corpora,
)
from textvae import cli
from textvae.errors import ConfigError, ModelError
from textvae.evaluation import AISConfig, EvaluateConfig, annealed_likelihood, evaluate, likelihood
from textvae.models import TextModel, TextVAE, load_model
from textvae.pipeline.new import to_toml
from textvae.posteriors import SemiAmortizedPosteriorConfig
from textvae.tasks import impute, interpolate, markov_chain, reconstruct
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers import Tokenizer
from textvae.training import TrainResult, train

HAMILTONIAN = {"kind": "hamiltonian", "steps": 2, "tempering": {"kind": "fixed", "temperature": 1.2}}
TRANSFORMER = {"kind": "transformer", "model_dim": 8, "layers": 1, "heads": 2}
PARTS = {
    "encoder": {"kind": "lstm", "embedding_dim": 16, "hidden_dim": 16, "pooling": "max"},
    "decoder": {"kind": "lstm", "embedding_dim": 16, "hidden_dim": 16, "z_to": "both"},
}
"""Of a model that uses z within a few epochs, if its KL is charged little."""
USED = {"objective": {"kind": "elbo", "kl_weight": {"kind": "constant", "weight": 0.05}}, "epochs": 6}
FAST = {"optimizer": {"kind": "adam", "lr": 0.01}}
pytestmark = pytest.mark.filterwarnings("ignore::textvae.training.CollapseWarning")
Corpora = tuple[TokenizedCorpus, TokenizedCorpus, Tokenizer]


def model_with(posterior: dict[str, Any] = HAMILTONIAN, **parts: Any) -> dict[str, Any]:
    return {**MODEL, **PARTS, "posterior": posterior, **parts}


def fit(corpora: Corpora, out: Path, extra: dict[str, Any] | None = None, **settings: Any) -> TrainResult:
    train_corpus, valid_corpus, tokenizer = corpora
    chosen = config(**{"model": model_with(), **FAST, **settings})
    return train(
        chosen, train_corpus, valid_corpus, out, seed=0, tokenizer=tokenizer, label_names=LABELS, **(extra or {})
    )


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    return write_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="module")
def gaussian(corpora: Corpora, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained Gaussian run, as a user has it: `train/model` inside the run's folder."""
    out = tmp_path_factory.mktemp("gaussian")
    fit(corpora, out / "train", model={**MODEL, **PARTS}, **USED, optimizer={"kind": "adam", "lr": 0.02})
    return out


@pytest.fixture(scope="module")
def trained(corpora: Corpora, gaussian: Path, tmp_path_factory: pytest.TempPathFactory) -> TextVAE:
    out = tmp_path_factory.mktemp("trained")
    fit(corpora, out, **{**USED, "epochs": 2}, start_from={"run": str(gaussian)})
    model = load_model(out / "model")
    assert isinstance(model, TextVAE)
    return model.eval()


@pytest.mark.parametrize(
    ("decoder", "settings"),
    [
        (MODEL["decoder"], {}),
        (TRANSFORMER, {"objective": {"kind": "iwae", "samples": 2, "gradient": "plain"}}),
        (TRANSFORMER, {"precision": "bf16"}),
    ],
)
def test_training_lowers_the_bound_and_reports_no_kl(
    corpora: Corpora, tmp_path: Path, decoder: dict[str, Any], settings: dict[str, Any]
) -> None:
    faster = {"optimizer": {"kind": "adam", "lr": 0.02}}
    fit(corpora, tmp_path, model=model_with(decoder=decoder), epochs=3, **faster, **settings)
    seen = training_lines(tmp_path)
    assert all(math.isfinite(value) for line in seen for value in line.values() if isinstance(value, float))
    epoch = len(seen) // 3
    losses = [line["loss"] for line in seen]
    assert sum(losses[-epoch:]) < sum(losses[:epoch]) - epoch
    validated = validation_lines(tmp_path)
    bounds = [line["valid_elbo_nll"] for line in validated]
    assert bounds[2] < bounds[1] < bounds[0]
    for line in (*seen, *validated):
        assert not {"kl", "valid_kl", "guard_kl", "guard_mi"} & set(line)
    assert "extended_rate" in seen[0] and "kl_penalty" in seen[0]
    assert {"valid_extended_rate", "guard_active_units", "guard_permuted_rise"} <= set(validated[0])
    total = validated[0]["valid_nll"] + validated[0]["valid_extended_rate"]
    assert validated[0]["valid_elbo_nll"] == pytest.approx(total, rel=1e-6)


def test_a_resumed_training_is_the_same_training(corpora: Corpora, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"objective": {"kind": "elbo", "free_bits": {"kind": "rate", "nats": 2.0}}}
    fit(corpora, tmp_path / "whole", **settings)

    def press(model: TextModel, batch: Any, terms: Any, step: int) -> dict[str, Any]:
        if step == 7:
            signal.raise_signal(signal.SIGINT)
        return {}

    with pytest.raises(KeyboardInterrupt):
        fit(corpora, tmp_path / "cut", {"regularizer": press}, **settings)
    fit(corpora, tmp_path / "cut", **settings)
    assert without_times(lines(tmp_path / "whole")) == without_times(lines(tmp_path / "cut"))
    one, other = (load_model(tmp_path / name / "model").state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


# ------------------------------------------------------------------ starting from a Gaussian run


def test_a_gaussian_run_is_where_moving_begins(corpora: Corpora, gaussian: Path, tmp_path: Path) -> None:
    """Encoder, decoder and head are carried to the last number; step sizes and tempering are fresh."""
    still = {"optimizer": {"kind": "sgd", "lr": 1e-12}, "max_steps": 1, "epochs": 1}
    fit(corpora, tmp_path / "moved", **still, start_from={"run": str(gaussian)})
    given = load_model(gaussian / "train" / "model").state_dict()
    found = load_model(tmp_path / "moved" / "model").state_dict()
    for name, value in given.items():
        torch.testing.assert_close(found.pop(name.replace("posterior.", "posterior.amortized.")), value)
    assert set(found) == {"posterior.step_size_logits", "posterior.tempering.log_excess"}
    torch.testing.assert_close(0.5 * found["posterior.step_size_logits"].sigmoid(), torch.full((1, 3), 0.2))

    # From its own kind all of it is carried, of another kind nothing is left over or missing without a word.
    own = {"run": str(tmp_path / "moved" / "model")}
    other_size = model_with({**HAMILTONIAN, "step_size": 0.1})
    fit(corpora, tmp_path / "again", **still, model=other_size, start_from=own)
    again = load_model(tmp_path / "again" / "model").state_dict()
    torch.testing.assert_close(again["posterior.step_size_logits"], found["posterior.step_size_logits"])
    free = model_with({**HAMILTONIAN, "tempering": {"kind": "free"}})
    for number, model in enumerate((free, {**MODEL, **PARTS}, model_with(latent_dim=4))):
        with pytest.raises(ModelError, match=r"start_from: .*(no place|needs)"):
            fit(corpora, tmp_path / f"refused-{number}", **still, model=model, start_from=own)
    # A refinement without parameters of its own goes on as it did.
    climbing = SemiAmortizedPosteriorConfig(steps=1).model_dump()
    fit(corpora, tmp_path / "climbing", **still, model=model_with(climbing), start_from={"run": str(gaussian)})


# ------------------------------------------------------------------ what cannot be


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": {"kind": "iwae"}}, 'set objective.gradient = "plain"'),
        ({"objective": {"kind": "iwae", "gradient": "sticking_the_landing"}}, 'set objective.gradient = "plain"'),
        ({"objective": {"kind": "elbo", "free_bits": {"kind": "batch_mean"}}}, "'rate' or 'target'"),
        ({"objective": {"kind": "elbo", "free_bits": {"kind": "per_sentence"}}}, "'rate' or 'target'"),
        ({"encoder_updates": {}}, "mutual information.*hamiltonian.*remove them"),
        ({"model": model_with({**HAMILTONIAN, "step_size": 0.6})}, "less than max_step_size"),
        ({"model": model_with({**HAMILTONIAN, "tempering": {"kind": "warm"}})}, "expected one of"),
        ({"model": model_with(prior={"kind": "hyperspherical_uniform"})}, "use a prior on all of space"),
    ],
)
def test_what_needs_a_density_is_refused_with_the_cure(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(**{"model": model_with(), **settings})


# ------------------------------------------------------------------ evaluation and tasks


def test_an_evaluation_has_bounds_codes_and_no_kl(corpora: Corpora, trained: TextVAE) -> None:
    """Nothing depends on the batch; the bounds are ordered, annealing's (by chance within 4 errors) the lowest."""
    settings: dict[str, Any] = {"split": "valid", "iw_samples": 20, "quality_samples": 0, "samples": 0}
    ais = AISConfig(sentences=8, chains=2, steps=8, leapfrog=3, simulated=2)
    found = [
        evaluate(trained, corpora[1], EvaluateConfig(**settings, ais=ais, batch_tokens=tokens))
        for tokens in (400, 10_000)
    ]
    for name, value in found[0].items():
        expected = pytest.approx(value, rel=1e-3, abs=1e-3) if isinstance(value, float) else value
        assert found[1][name] == expected, name
    assert not {"kl", "mi", "marginal_kl", "extended_rate"} & set(found[0])
    assert {"elbo_nll", "rec_nll", "active_units", "permuted_rise", "token_accuracy", "verdict"} <= set(found[0])
    assert found[0].latent_means is not None and found[0].latent_means.shape == (24, 3)
    assert found[0]["elbo_nll"] > found[0]["iw_nll"]
    assert found[0]["ais_gain"] > -4 * found[0]["ais_gain_se"]


def test_annealing_starts_from_the_gaussian(corpora: Corpora, trained: TextVAE) -> None:
    """The very numbers of the model whose posterior is the start alone: the moves take no part."""
    plain = as_gaussian(trained, {**MODEL, **PARTS})
    one, other = (
        annealed_likelihood(model, corpora[1], np.arange(10), AISConfig(sentences=10, steps=10)).nll
        for model in (trained, plain)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4)


def as_gaussian(model: TextVAE, settings: dict[str, Any]) -> TextVAE:
    """The same weights with a posterior that moves nothing."""
    made = config(model=settings).model.build(vocab_size=model.vocab_size, max_tokens=model.max_tokens)
    assert isinstance(made, TextVAE)
    state = {name.replace(".amortized", ""): value for name, value in model.state_dict().items()}
    made.load_state_dict({name: value for name, value in state.items() if name in made.state_dict()})
    return made.eval()


@pytest.mark.parametrize("decoder", [PARTS["decoder"], TRANSFORMER])
def test_two_proposals_find_one_likelihood(corpora: Corpora, decoder: dict[str, Any]) -> None:
    """IW-500 of one decoder from the prior-like start and from where its codes move: equal within 0.03 nats.

    Paired over 24 sentences; the moved one is not the worse. Codes count: bounds with one sample are nats apart.
    """
    moves = {**HAMILTONIAN, "steps": 3}
    torch.manual_seed(0)
    made = config(model=model_with(moves, decoder=decoder)).model.build(vocab_size=corpora[2].vocab_size, max_tokens=12)
    assert isinstance(made, TextVAE)
    scramble(made.decoder, scale=0.4)
    torch.nn.init.normal_(made.posterior.amortized.parameters_of.weight, std=0.02)  # type: ignore[union-attr, arg-type]
    plain = as_gaussian(made, model_with({"kind": "gaussian"}, decoder=decoder))
    moved, still = (likelihood(model, corpora[1], num_samples=500) for model in (made, plain))
    difference = moved.iw_nll - still.iw_nll  # type: ignore[operator]
    assert abs(difference.mean()) < 0.03
    assert (moved.elbo_nll - moved.iw_nll).mean() > 0.3  # type: ignore[operator]
    assert (moved.elbo_nll - still.elbo_nll).mean() < 0.0  # type: ignore[operator]


def test_every_task_has_its_code(trained: TextVAE) -> None:
    texts = sentences(3, seed=5)
    codes = trained.encode(texts)
    torch.testing.assert_close(trained.encode(texts[::-1]), codes.flip(0))
    assert len(reconstruct(trained, texts, sample=True)) == 3
    assert len(interpolate(trained, texts[0], texts[1], steps=3).texts) == 3
    assert impute(trained, "the cat ___ bread", samples=4)[0].answers
    assert len(markov_chain(trained, texts, steps=2)) == 3


def test_the_command_trains_and_evaluates(tmp_path: Path) -> None:
    """A recipe of a labelled corpus: train, evaluate, classify; free bits it cannot have are refused before that."""
    rng = random.Random(0)
    rows = ["label\ttext"]
    for _ in range(200):
        good = rng.random() < 0.5
        rows.append(f"{'pos' if good else 'neg'}\t{rng.choice('abcdefgh')} {rng.choice('ijklmnop')} {good}")
    (tmp_path / "text.tsv").write_text("\n".join(rows) + "\n")
    card = {"kind": "tsv", "licence": "public domain", "text_column": "text", "label_column": "label",
            "files": {"train": "text.tsv"}, "split_fractions": {"train": 0.6, "valid": 0.2, "test": 0.2}}  # fmt: skip
    (tmp_path / "card.toml").write_text(to_toml(card, "A card."))
    recipe: dict[str, Any] = {
        "name": "tiny",
        "corpus": "card",
        "tokenize": {"max_tokens": 10, "tokenizer": {"kind": "word", "split": "whitespace", "vocab_size": 30}},
        "train": {"epochs": 1, "batch_tokens": 256, "model": model_with(), **FAST},
        "evaluate": {"iw_samples": 3, "quality_samples": 0, "samples": 0},
        "classify": {"labels": 20, "epochs": 1},
    }
    (tmp_path / "tiny.toml").write_text(to_toml(recipe, "A recipe."))
    command = ["run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "run")]
    by_dimension = 'classify.objective={ kind = "elbo", free_bits = { kind = "batch_mean", nats = 2.0 } }'
    assert cli._run([*command, "--set", by_dimension]) == 2
    assert not (tmp_path / "run" / "train").exists()
    assert cli._run(command) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["evaluate"]["iw_nll"] < report["evaluate"]["elbo_nll"]
    assert "kl" not in report["evaluate"] and "mi" not in report["evaluate"]
    assert report["classify"]["accuracy"] >= 0.0
