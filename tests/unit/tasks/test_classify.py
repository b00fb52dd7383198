"""Classification from few labels, on a made-up language whose two classes share most of their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_predict

from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError, DataError, ModelError
from textvae.models import SemiSupervisedConfig, SemiSupervisedTextVAE, TextVAE, TextVAEConfig
from textvae.tasks.classifier_settings import ClassifyConfig, check_classifier
from textvae.tasks.classifier_start import label_budget, warm_start
from textvae.tasks.classify import classify, evaluate_classifier, log_probabilities
from textvae.tasks.linear_head import count_ngrams, fit_head
from textvae.tasks.train_classifier import learn_from_labels, train_classifier
from textvae.text.corpora import Example
from textvae.text.few_labels import choose_labelled
from textvae.text.joined import join_tokenized
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer, WordConfig

FILLERS = ["the", "a", "we", "they", "saw", "took", "gave", "and", "again", "here", "there"]
MARKS = {"warm": ["sun", "sand", "summer", "beach", "heat"], "cold": ["snow", "ice", "winter", "frost", "wind"]}
NAMES = ["cold", "warm"]
WORDS = {"rounds": 1, "topics": []}
"""A short training of the words."""


def language(count: int, seed: int) -> list[Example]:
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        label = NAMES[generator.integers(2)]
        words = list(generator.choice(FILLERS, 5))
        words[generator.integers(5)] = generator.choice(MARKS[label])
        made.append(Example(" ".join(words), label))
    return made


@pytest.fixture(scope="module", name="data")
def _data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, dict[str, TokenizedCorpus]]:
    folder = tmp_path_factory.mktemp("classify")
    tokenizer = WordConfig(vocab_size=40).train([example.text for example in language(600, 0)])
    corpora = {}
    for seed, (split, count) in enumerate({"train": 600, "valid": 200, "test": 300}.items()):
        path = folder / f"{split}.arrow"
        write_tokenized(path, language(count, seed), tokenizer, max_tokens=8, overlong="error", label_names=NAMES)
        corpora[split] = TokenizedCorpus(path)
    return tokenizer, corpora


@pytest.fixture(scope="module", name="vae")
def _vae(data: tuple[Tokenizer, dict[str, TokenizedCorpus]]) -> TextVAE:
    torch.manual_seed(0)
    config = TextVAEConfig(
        latent_dim=4,
        encoder=LSTMEncoderConfig(embedding_dim=16, hidden_dim=16, bidirectional=True, pooling="max"),
        decoder=LSTMDecoderConfig(embedding_dim=16, hidden_dim=16),
    )
    model = config.build(vocab_size=data[0].vocab_size, max_tokens=8)
    model.tokenizer = data[0]
    return model


@pytest.fixture(scope="module", name="trained")
def _trained(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("out")
    config = ClassifyConfig.model_validate(
        {"labels": 60, "epochs": 4, "words": WORDS, "batch_tokens": 256, "optimizer": {"kind": "adam", "lr": 0.01}}
    )
    tokenizer, corpora = data
    train_classifier(
        config, corpora["train"], corpora["valid"], out, seed=1, tokenizer=tokenizer, vae=vae, progress=False
    )
    return out


def test_few_labels_are_enough_and_accuracy_is_measured_on_unseen_sentences(
    trained: Path, data: tuple[Tokenizer, dict[str, TokenizedCorpus]]
) -> None:
    model = SemiSupervisedTextVAE.from_pretrained(trained / "model")
    report = evaluate_classifier(model, data[1]["test"], data[1]["train"])
    assert report["sentences"] == 300
    assert report["accuracy"] > 0.9 > report["majority_accuracy"]
    confusion = np.array(report["confusion"])
    assert confusion.sum() == 300 and confusion.trace() / 300 == pytest.approx(report["accuracy"])
    answers = classify(model, ["we saw snow again here", "they took the sun there"])
    assert [answer.label for answer in answers] == ["cold", "warm"]
    assert sum(answers[0].probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(DataError):
        classify(model, [""])
    assert model.generate(1, label="warm")[0].label == "warm"


def test_hidden_labels_are_absent_from_what_is_trained_on(trained: Path) -> None:
    labels = TokenizedCorpus(trained / "train.arrow").labels
    assert np.bincount(labels + 1).tolist() == [552, 24, 24]  # 6 of each class are held out


def test_a_model_without_classifier_says_so(vae: TextVAE) -> None:
    with pytest.raises(ModelError, match="cannot classify"):
        classify(vae, ["we saw snow"])


def test_labels_are_balanced_fixed_by_the_seed_and_not_more_than_there_are() -> None:
    labels = np.array([0] * 50 + [1] * 9 + [-1] * 5)
    chosen = choose_labelled(labels, 15, 2, seed=3)
    assert np.bincount(labels[chosen]).tolist() == [8, 7]
    assert (chosen == choose_labelled(labels, 15, 2, seed=3)).all()
    assert (chosen != choose_labelled(labels, 15, 2, seed=4)).any()
    # A class that has too few gives all it has.
    assert np.bincount(labels[choose_labelled(labels, 40, 2, seed=3)]).tolist() == [31, 9]
    assert np.bincount(labels[choose_labelled(labels, 30, 3, seed=3)], minlength=3).tolist() == [21, 9, 0]
    with pytest.raises(ConfigError, match="only 59 training sentences have a label; ask for fewer"):
        choose_labelled(labels, 60, 2, seed=3)


@pytest.mark.parametrize("label_to", ["input", "cell"])
def test_a_warm_start_keeps_what_the_vae_learned(vae: TextVAE, label_to: str) -> None:
    """Whatever the label, the warm model begins as the VAE: the same decoder, the same posterior."""
    from tests.components import random_batch
    from textvae.models import SemiSupervisedConfig
    from textvae.types import Context

    parts = vae.config.model_dump(exclude={"kind"})
    parts["decoder"]["label_to"] = label_to
    model = SemiSupervisedConfig.model_validate(parts).build(
        vocab_size=vae.vocab_size, max_tokens=8, label_names=("a", "b")
    )
    copied = warm_start(model, vae)
    assert "encoder.embedding.weight" in copied and "decoder.stack.forward_layers.0.weight_ih_l0" in copied
    batch, z = random_batch(), torch.randn(1, 5, 4)
    torch.testing.assert_close(
        model.eval().decoder.log_prob(batch.tokens_BT, z, Context(label_B=torch.tensor([0, 1, 0, 1, 1]))),
        vae.eval().decoder.log_prob(batch.tokens_BT, z),
    )
    torch.testing.assert_close(model.posterior_of(batch).mean, vae.posterior_of(batch).mean)


class Wider(TextVAEConfig):
    """A model of a reader's own, with a setting that no classifier has."""

    length_weight: float = 1.0


def test_a_classifier_takes_over_those_parts_of_a_model_that_it_has_too() -> None:
    model, _ = check_classifier(ClassifyConfig(), Wider(latent_dim=7))
    assert model.latent_dim == 7


@pytest.mark.parametrize(
    "parts",
    [{"regularizers": [{"kind": "consistency", "augmentations": [{"kind": "deletion"}, {"kind": "local_swap"}]}]},
     {"model": {"latent_dim": 4, "label_sum": {"kind": "score_function"}}},
     {"regularizers": [{"kind": "pseudo_labels"}, {"kind": "label_balance"}, {"kind": "label_entropy"}]},
     {"contrast": {"steps": 50, "lr": 0.01}, "train_encoder": False, "regularizers": [{"kind": "pseudo_labels"}]},
     {"objective_weight": {"kind": "constant", "weight": 0.0}, "held_out": 0.0}],
    ids=["consistency", "one label drawn", "pseudo-labels", "contrast, then frozen", "no bound"],
)  # fmt: skip
def test_other_ways_to_use_sentences_without_a_label_train_too(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, tmp_path: Path, parts: dict[str, object]
) -> None:
    config = ClassifyConfig.model_validate(
        {
            "labels": 60,
            "epochs": 4,
            "words": {"rounds": 0},
            "batch_tokens": 256,
            "optimizer": {"kind": "adam", "lr": 0.01},
            **parts,
        }
    )
    tokenizer, corpora = data
    train_classifier(
        config, corpora["train"], corpora["valid"], tmp_path, seed=1, tokenizer=tokenizer, vae=vae, progress=False
    )
    model = SemiSupervisedTextVAE.from_pretrained(tmp_path / "model")
    assert evaluate_classifier(model, corpora["test"], corpora["train"])["accuracy"] > 0.9


def test_regularizers_that_do_not_fit_are_refused() -> None:
    twice = ClassifyConfig.model_validate({"regularizers": [{"kind": "consistency"}] * 2})
    with pytest.raises(ConfigError, match=r"classify.regularizers.*once"):
        check_classifier(twice, TextVAEConfig())


# ------------------------------------------------------------------ the budget of labels


@pytest.mark.parametrize(("held_out", "learned"), [(None, 48), (0.0, 60), (0.5, 30)])
def test_every_label_that_is_looked_at_is_in_the_budget(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], held_out: float | None, learned: int
) -> None:
    labels = np.asarray(data[1]["train"].labels)
    budget = label_budget(ClassifyConfig(labels=60, held_out=held_out), labels, 2, seed=1)
    assert len(budget.learned) == learned and len(budget.learned) + len(budget.held_out) == 60
    assert np.bincount(labels[budget.learned]).tolist() == [learned // 2] * 2
    assert not np.intersect1d(budget.learned, budget.unlabelled).size
    assert np.isin(budget.held_out, budget.unlabelled).all()
    assert len(budget.unlabelled) == len(labels) - learned


def test_the_labels_of_the_validation_split_are_not_looked_at(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, tmp_path: Path
) -> None:
    """With them hidden, the same model comes out, to the bit."""
    tokenizer, corpora = data
    hidden = tmp_path / "hidden.arrow"
    examples = [Example(example.text, None) for example in language(200, 1)]
    write_tokenized(hidden, examples, tokenizer, max_tokens=8, overlong="error", label_names=NAMES)
    config = ClassifyConfig.model_validate(
        {"labels": 60, "epochs": 2, "words": WORDS, "batch_tokens": 256, "early_stopping": 1}
    )
    weights = []
    for place, valid in enumerate((corpora["valid"], TokenizedCorpus(hidden))):
        out = tmp_path / str(place)
        train_classifier(config, corpora["train"], valid, out, seed=1, tokenizer=tokenizer, vae=vae, progress=False)
        weights.append(SemiSupervisedTextVAE.from_pretrained(out / "model").state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("competes", [False, True])
def test_a_classifier_that_training_made_worse_is_kept_as_it_began_if_asked(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, tmp_path: Path, competes: bool
) -> None:
    """Also where the model comes from a run that was interrupted at its very end."""
    tokenizer, corpora = data
    table = {"labels": 60, "epochs": 1, "words": WORDS, "batch_tokens": 256, "start_competes": competes}
    config = ClassifyConfig.model_validate({**table, "optimizer": {"kind": "sgd", "lr": 3.0}})
    begun = ClassifyConfig.model_validate({"labels": 60, "epochs": 0, "words": WORDS, "held_out": 0.2})
    found = []
    for place, settings in (("it", config), ("it", config), ("begun", begun)):
        train_classifier(
            settings, corpora["train"], corpora["valid"], tmp_path / place, seed=1, tokenizer=tokenizer, vae=vae,
            progress=False,
        )  # fmt: skip
        model = SemiSupervisedTextVAE.from_pretrained(tmp_path / place / "model")
        found.append(log_probabilities(model, corpora["test"], np.arange(300)))
    assert np.array_equal(found[0], found[1])
    assert np.allclose(found[0], found[2], atol=1e-5) == competes
    card = SemiSupervisedTextVAE.from_pretrained(tmp_path / "it" / "model").card
    assert (card["epoch"] == 0) == competes


@pytest.mark.parametrize(("contrast", "held_out"), [(None, 0), ({"folds": 2}, 0), ({"folds": 0}, 12)])
def test_without_epochs_all_labels_are_learned_and_find_the_temperature(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]],
    vae: TextVAE,
    tmp_path: Path,
    contrast: dict[str, int] | None,
    held_out: int,
) -> None:
    """By a cross-validation among them; but not where pairs train the encoder once only."""
    tokenizer, corpora = data
    pairs = {} if contrast is None else {"contrast": {"steps": 10, "lr": 0.01, **contrast}}
    config = ClassifyConfig.model_validate({"labels": 60, "epochs": 0, "words": {"rounds": 3, "topics": [8]}, **pairs})
    trained = train_classifier(
        config, corpora["train"], corpora["valid"], tmp_path, seed=1, tokenizer=tokenizer, vae=vae, progress=False
    )
    assert (trained.learned, trained.held_out) == (60 - held_out, held_out)
    assert trained.temperature != 1.0
    model = SemiSupervisedTextVAE.from_pretrained(tmp_path / "model")
    report = evaluate_classifier(model, corpora["test"], corpora["train"])
    assert report["accuracy"] > 0.9 and report["nll"] < 0.35
    assert model.card["temperature"] == trained.temperature
    with pytest.raises(ModelError, match="not trained with labels"):
        model.generate(1, label="warm")


@pytest.mark.parametrize("method", ["supervised", "probe"])
def test_methods_that_learn_from_the_labels_alone(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, tmp_path: Path, method: str
) -> None:
    tokenizer, corpora = data
    config = ClassifyConfig.model_validate(
        {"method": method, "labels": 60, "steps": 40, "optimizer": {"kind": "adam", "lr": 0.01}}
    )
    trained = train_classifier(
        config, corpora["train"], corpora["valid"], tmp_path, seed=1, tokenizer=tokenizer, vae=vae, progress=False
    )
    assert (trained.learned, trained.held_out) == (48, 12)
    model = SemiSupervisedTextVAE.from_pretrained(tmp_path / "model")
    assert evaluate_classifier(model, corpora["test"], corpora["train"])["accuracy"] > 0.85
    assert model.card["method"] == method
    with pytest.raises(ModelError, match="not trained with labels"):
        model.generate(1, label="warm")
    # The encoder of a probe is the VAE's.
    same = torch.equal(model.encoder.embedding.weight, vae.encoder.embedding.weight)  # type: ignore[union-attr]
    assert same == (method == "probe")


def test_the_linear_layer_states_what_the_regression_states(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE
) -> None:
    tokenizer, corpora = data
    corpus, rows = corpora["train"], np.arange(40)
    for ngrams in (0, 2):
        config = SemiSupervisedConfig.model_validate(
            {**vae.config.model_dump(exclude={"kind"}), "classifier_ngrams": ngrams}
        )
        model = config.build(vocab_size=tokenizer.vocab_size, max_tokens=8, label_names=NAMES).eval()
        count_ngrams(model, corpus)
        fit_head(model, corpus, rows, seed=0)
        log_NC = log_probabilities(model, corpus, rows)
        truth = np.asarray(corpus.labels)[rows]
        # At the optimum of a regression with a free intercept, the mean of what is stated is the share of each class.
        assert np.exp(log_NC).mean(0) == pytest.approx(np.bincount(truth) / 40, abs=0.01)
        assert (log_NC.argmax(-1) == truth).mean() > 0.8


def test_of_many_labels_some_choose_the_penalty_and_all_are_learned(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, corpora = data
    monkeypatch.setattr("textvae.tasks.linear_head.COMPARED", 12)
    seen: list[int] = []
    compare = cross_val_predict

    def watched(*arguments: Any, **more: Any) -> Any:
        seen.append(len(arguments[2]))
        return compare(*arguments, **more)

    monkeypatch.setattr("sklearn.model_selection.cross_val_predict", watched)
    config = SemiSupervisedConfig.model_validate(vae.config.model_dump(exclude={"kind"}))
    model = config.build(vocab_size=tokenizer.vocab_size, max_tokens=8, label_names=NAMES).eval()
    rows = np.arange(200)
    fit_head(model, corpora["train"], rows, seed=0)
    truth = np.asarray(corpora["train"].labels)[rows]
    assert set(seen) == {12}
    # The intercept is free, so that the mean of what is stated is the share of each class among all labels.
    shares = np.bincount(truth) / 200
    assert np.exp(log_probabilities(model, corpora["train"], rows)).mean(0) == pytest.approx(shares, abs=0.01)


def test_the_validation_sentences_are_learned_from_where_asked(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], tmp_path: Path
) -> None:
    tokenizer, corpora = data
    joined = join_tokenized(tmp_path / "all.arrow", (corpora["train"], corpora["valid"]), tokenizer, max_tokens=8)
    assert joined.labels.tolist() == [*corpora["train"].labels, *corpora["valid"].labels]
    for row, (split, place) in ((0, ("train", 0)), (599, ("train", 599)), (600, ("valid", 0)), (799, ("valid", 199))):
        assert joined.text(row) == corpora[split].text(place)
        assert joined.ids(row).tolist() == corpora[split].ids(place).tolist()
    assert joined.label_names == tuple(NAMES)
    # All labels are looked at, also of classes that have few.
    labels = np.array([0] * 50 + [1] * 9 + [-1] * 5)
    budget = label_budget(ClassifyConfig(labels="all", held_out=0.2), labels, 2, seed=1)
    assert sorted([*budget.learned, *budget.held_out]) == list(range(59)) and len(budget.held_out) == 12
    assert set(budget.unlabelled) == {*range(59, 64), *budget.held_out.tolist()}


def test_a_class_without_a_labelled_sentence_is_all_but_impossible(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE
) -> None:
    tokenizer, corpora = data
    config = SemiSupervisedConfig.model_validate(vae.config.model_dump(exclude={"kind"}))
    model = config.build(vocab_size=tokenizer.vocab_size, max_tokens=8, label_names=("cold", "warm", "mild")).eval()
    fit_head(model, corpora["train"], np.arange(40), seed=0)
    assert np.exp(log_probabilities(model, corpora["train"], np.arange(40)))[:, 2].max() < 0.01
    only_cold = np.flatnonzero(np.asarray(corpora["train"].labels) == 0)[:5]
    fit_head(model, corpora["train"], only_cold, seed=0)
    assert np.exp(log_probabilities(model, corpora["train"], np.arange(40)))[:, 0].min() > 0.99


def test_the_temperature_makes_held_out_labels_likelier(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE
) -> None:
    tokenizer, corpora = data
    common = {"method": "supervised", "labels": 200, "steps": 60, "optimizer": {"kind": "adam", "lr": 0.01}}
    config = ClassifyConfig.model_validate({**common, "held_out": 0.5})
    model, temperature = learn_from_labels(
        config, corpora["train"], seed=1, tokenizer=tokenizer, vae=vae, method="supervised"
    )
    rows = label_budget(config, np.asarray(corpora["train"].labels), 2, seed=1).held_out
    truth = np.asarray(corpora["train"].labels)[rows]

    def likelihood() -> float:
        return float(log_probabilities(model, corpora["train"], rows)[np.arange(len(rows)), truth].mean())

    tempered = likelihood()
    model.scale_logits(temperature)
    assert temperature != 1.0 and likelihood() <= tempered + 0.02


def test_a_hundred_and_fifty_classes_train(tmp_path: Path) -> None:
    names = [f"intent{number:03d}" for number in range(150)]
    examples = [Example(f"please {name} now {number}", name) for number in range(4) for name in names]
    tokenizer = WordConfig(vocab_size=400).train([example.text for example in examples])
    path = tmp_path / "train.arrow"
    write_tokenized(path, examples, tokenizer, max_tokens=8, overlong="truncate", label_names=names)
    corpus = TokenizedCorpus(path)
    small = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 8}
    vae = TextVAEConfig.model_validate({"latent_dim": 2, "encoder": small, "decoder": small}).build(
        vocab_size=tokenizer.vocab_size, max_tokens=8
    )
    vae.tokenizer = tokenizer
    config = ClassifyConfig.model_validate({"labels": 300, "epochs": 1, "words": WORDS, "batch_tokens": 2048})
    train_classifier(config, corpus, corpus, tmp_path / "out", seed=0, tokenizer=tokenizer, vae=vae, progress=False)
    model = SemiSupervisedTextVAE.from_pretrained(tmp_path / "out" / "model")
    assert evaluate_classifier(model, corpus, corpus)["accuracy"] > 0.5


def test_below_a_confidence_it_does_not_know(trained: Path) -> None:
    model = SemiSupervisedTextVAE.from_pretrained(trained / "model")
    texts = ["we saw snow again here", "they took the sun there", "the a we they"]
    plain = classify(model, texts)
    least = sorted(one.probability for one in plain)[1]
    for one, asked in zip(plain, classify(model, texts, confidence=least), strict=True):
        assert asked.label == (one.label if one.probability >= least else None)
        assert (asked.probability, asked.probabilities) == (one.probability, one.probabilities)
    assert model.classify(texts, confidence=1.0)[0].label is None
    for wrong in (1.5, -0.1, float("nan")):
        with pytest.raises(ConfigError, match=r"confidence is .*; expected a number from 0 to 1"):
            classify(model, texts, confidence=wrong)


def test_the_command_says_that_it_does_not_know(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from textvae import cli

    model = str(trained / "model")
    with pytest.raises(SystemExit, match="0"):
        cli.main(["classify", model, "we saw snow again here", "--confidence", "1"])
    label, probability, text = capsys.readouterr().out.rstrip("\n").split("\t")
    assert label == "I don't know" and 0.5 < float(probability) <= 1 and text == "we saw snow again here"
    file, out = tmp_path / "in.txt", tmp_path / "out.csv"
    file.write_text("we saw snow again here\n\n")
    with pytest.raises(SystemExit, match="0"):
        cli.main(["classify", model, "--file", str(file), "--out", str(out), "--confidence", "1"])
    rows = out.read_text().splitlines()
    assert len(rows) == 3 and "cold" not in rows[1] and "0." in rows[1]


def test_after_an_interruption_at_the_very_end_nothing_is_calibrated_twice(
    data: tuple[Tokenizer, dict[str, TokenizedCorpus]], vae: TextVAE, tmp_path: Path
) -> None:
    tokenizer, corpora = data
    config = ClassifyConfig.model_validate(
        {"labels": 60, "epochs": 2, "words": WORDS, "batch_tokens": 256, "optimizer": {"kind": "adam", "lr": 0.01}}
    )
    found = []
    for _ in range(2):
        trained = train_classifier(
            config, corpora["train"], corpora["valid"], tmp_path, seed=1, tokenizer=tokenizer, vae=vae, progress=False
        )
        weights = SemiSupervisedTextVAE.from_pretrained(tmp_path / "model").state_dict()
        found.append((trained.temperature, weights))
    assert found[0][0] == found[1][0] != 1.0
    assert all(torch.equal(value, found[1][1][name]) for name, value in found[0][1].items())
