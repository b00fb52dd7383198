"""Training a classifier from few labels: with the sentences that have none, without them, or on frozen features."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from textvae.arguments import checked_seed
from textvae.errors import ConfigError
from textvae.evaluation.calibration import best_temperature, tempered_log
from textvae.models import SemiSupervisedTextVAE, TextModel
from textvae.regularizers import ClassificationLoss
from textvae.tasks.classifier_settings import ClassifyConfig, Method, check_classifier, words_of
from textvae.tasks.classify import log_probabilities
from textvae.tasks.contrast import contrast
from textvae.tasks.fine_tune import fine_tune
from textvae.tasks.linear_head import count_ngrams, fit_head
from textvae.tasks.word_mixture import learn_words
from textvae.text.corpora import Example
from textvae.text.few_labels import choose_labelled, hold_out
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer
from textvae.training import TrainConfig, train
from textvae.training.folder import MODEL_FOLDER, claim_training
from textvae.training.validation import isolated_randomness


@dataclass(frozen=True)
class Budget:
    """The training sentences of a classifier, by their places.

    Attributes:
        learned: their label is learned.
        held_out: their label chooses epoch and temperature; their text is among the `unlabelled` ones.
        unlabelled: only their text is used.
    """

    learned: np.ndarray
    held_out: np.ndarray
    unlabelled: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A classifier that was trained.

    Attributes:
        method: by which.
        learned: labels that were learned.
        held_out: labels that chose the epoch and the temperature.
        temperature: by which the logits were divided; 1 where no labels were held out.
        numbers: of its training: `seconds`, and for a semi-supervised one its speed.
    """

    method: Method
    learned: int
    held_out: int
    temperature: float
    numbers: dict[str, Any]


def train_classifier(
    config: ClassifyConfig,
    train_corpus: TokenizedCorpus,
    valid_corpus: TokenizedCorpus,
    out: Path,
    *,
    seed: int,
    tokenizer: Tokenizer,
    vae: TextModel,
    start: SemiSupervisedTextVAE | None = None,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> Trained:
    """Train a classifier from few labels; the model is left in ``out/model``.

    Labels that are not used are removed from the data: ``out/train.arrow`` contains the chosen sentences, most of
    them without a label. No label of the validation split is looked at. Where some of the labels are held out, the
    epoch with the highest likelihood of these is kept (or the classifier before the first epoch, where
    `start_competes`), and the logits are divided by the temperature that makes them likeliest (`best_temperature`);
    else the last epoch is kept. With `epochs = 0` the classifier is what the mixture of unigrams has learned
    (`learn_words`).

    Args:
        config: the settings.
        train_corpus: with labels.
        valid_corpus: sentences for the bound.
        out: the folder.
        seed: of the choice of labels, the weights and the noise.
        tokenizer: of both corpora.
        vae: the trained VAE to start from.
        start: what `start_of` gives for the same arguments; it stays as it is. None: it is made here.
        card: entries of the model card.
        progress: whether to draw a progress bar.

    Raises:
        ConfigError: the corpus has no labels, or fewer than `config.labels`.
    """
    seed = checked_seed(seed)
    _require_labels(train_corpus)
    claim_training(out)
    budget = label_budget(config, np.asarray(train_corpus.labels), len(train_corpus.label_names), seed)
    if config.method != "semi_supervised":
        model, temperature = learn_from_labels(
            config, train_corpus, seed=seed, tokenizer=tokenizer, vae=vae, method=config.method, start=start
        )
        numbers: dict[str, Any] = {}
        model.card = dict(card or {})
    else:
        model = _copy_of(start) or start_of(config, train_corpus, seed=seed, tokenizer=tokenizer, vae=vae)
        model.card = dict(card or {})
        words = words_of(config, check_classifier(config, vae.config)[0])
        temperature, numbers = 1.0, {}
        if words.rounds:
            # Features that were trained on pairs of these labels fit them too well to be judged by them.
            judged = config.contrast is None
            temperature = learn_words(
                model, train_corpus, budget.learned, budget.unlabelled, words, judged=judged, seed=seed
            )
        if config.epochs:
            begun, temperature = model, 1.0
            model, numbers = _train_by_bound(
                config, train_corpus, valid_corpus, out, budget, seed, tokenizer, vae, begun, card, progress
            )
        # A model that was saved here before an interruption has it already.
        saved = model.card.get("temperature")
        if saved is not None:
            temperature = float(saved)
        elif len(budget.held_out):
            judge = _judge(train_corpus, budget.held_out, config.batch_tokens)
            if config.epochs and config.start_competes and judge is not None and judge(begun) > judge(model):
                begun.card = {**model.card, "epoch": 0}
                model = begun
            temperature = _calibrate(model, train_corpus, budget.held_out, config.batch_tokens)
    model.save_pretrained(out / MODEL_FOLDER, {**model.card, "method": config.method, "temperature": temperature})
    return Trained(config.method, len(budget.learned), len(budget.held_out), temperature, numbers)


def learn_from_labels(
    config: ClassifyConfig,
    corpus: TokenizedCorpus,
    *,
    seed: int,
    tokenizer: Tokenizer,
    vae: TextModel,
    method: Literal["supervised", "probe"],
    start: SemiSupervisedTextVAE | None = None,
) -> tuple[SemiSupervisedTextVAE, float]:
    """A classifier that learns nothing from sentences without a label, but what the VAE has learned.

    It has the labels and the start that a semi-supervised one with the same settings has. Its decoder is the VAE's,
    whatever the label.

    Args:
        config: the settings.
        corpus: the training sentences, with labels.
        seed: of the choice of labels, the weights and the noise.
        tokenizer: of the corpus.
        vae: the trained VAE to start from.
        method: 'supervised' trains all weights of encoder and classifier, 'probe' the linear layer alone.
        start: as of `train_classifier`.

    Returns:
        the model, and the temperature by which its logits were divided.

    Raises:
        ConfigError: the corpus has no labels, or fewer than `config.labels`.
    """
    _require_labels(corpus)
    budget = label_budget(config, np.asarray(corpus.labels), len(corpus.label_names), seed)
    model = _copy_of(start) or start_of(config, corpus, seed=seed, tokenizer=tokenizer, vae=vae)
    if method == "supervised":
        loss = _loss_of_labels(config, corpus, budget.learned, seed)
        judge = _judge(corpus, budget.held_out, config.batch_tokens)
        with isolated_randomness(model.device):
            torch.manual_seed(seed)
            fine_tune(model, loss, config.optimizer, steps=config.steps, clip_norm=config.clip_norm, judge=judge)
    return model, _calibrate(model, corpus, budget.held_out, config.batch_tokens)


def _train_by_bound(
    config: ClassifyConfig,
    train_corpus: TokenizedCorpus,
    valid_corpus: TokenizedCorpus,
    out: Path,
    budget: Budget,
    seed: int,
    tokenizer: Tokenizer,
    vae: TextModel,
    start: SemiSupervisedTextVAE,
    card: dict[str, Any] | None,
    progress: bool,
) -> tuple[SemiSupervisedTextVAE, dict[str, Any]]:
    """The semi-supervised model, trained from a start, and the numbers of its training."""
    few, names = out / "train.arrow", train_corpus.label_names
    if not few.exists():
        write_tokenized(
            few,
            _examples(train_corpus, budget),
            tokenizer,
            max_tokens=vae.max_tokens,
            overlong="truncate",
            label_names=list(names),
        )
    corpus = TokenizedCorpus(few)
    learned = np.flatnonzero(np.asarray(corpus.labels) >= 0)
    model_config, objective = check_classifier(config, vae.config)
    settings = TrainConfig(
        model=model_config,
        objective=objective,
        objective_weight=config.objective_weight,
        optimizer=config.optimizer,
        regularizers=config.regularizers,
        epochs=config.epochs,
        valid_sentences=config.valid_sentences,
        early_stopping=config.early_stopping,
        keep="best" if len(budget.held_out) or config.early_stopping else "last",
        batch_tokens=config.batch_tokens,
        batch_sentences=config.batch_sentences,
        clip_norm=config.clip_norm,
    )
    trained = train(
        settings,
        corpus,
        valid_corpus,
        out,
        seed=seed,
        tokenizer=tokenizer,
        label_names=names,
        card=card,
        max_tokens=vae.max_tokens,
        initial_model=copy.deepcopy(start),
        regularizer=_loss_of_labels(config, corpus, learned, seed),
        validation_metric=_judge(train_corpus, budget.held_out, config.batch_tokens),
        progress=progress,
    )
    model = SemiSupervisedTextVAE.from_pretrained(out / MODEL_FOLDER).to(vae.device)
    return model, trained.to_dict()


def start_of(
    config: ClassifyConfig, corpus: TokenizedCorpus, *, seed: int, tokenizer: Tokenizer, vae: TextModel
) -> SemiSupervisedTextVAE:
    """The classifier before its training, which is the same for all methods.

    It has the weights of the VAE where their shapes fit; its encoder is trained on pairs where `config.contrast` says
    so; and its linear layer is that of a logistic regression.

    Args:
        config: the settings.
        corpus: the training sentences, with labels.
        seed: as of `train_classifier`.
        tokenizer: of the corpus.
        vae: the trained VAE.

    Raises:
        ConfigError: the corpus has no labels, or fewer than `config.labels`.
    """
    _require_labels(corpus)
    learned = label_budget(config, np.asarray(corpus.labels), len(corpus.label_names), seed).learned
    model_config, _ = check_classifier(config, vae.config)
    with isolated_randomness(vae.device):
        torch.manual_seed(seed)
        model = model_config.build(
            vocab_size=tokenizer.vocab_size, max_tokens=vae.max_tokens, label_names=corpus.label_names
        )
    model.tokenizer = tokenizer
    model.to(vae.device)
    count_ngrams(model, corpus)
    if config.warm_start:
        warm_start(model, vae)
    if config.contrast is not None:
        with isolated_randomness(vae.device):
            torch.manual_seed(seed)
            contrast(model, corpus, learned, config.contrast, seed=seed)
    if not config.train_encoder:
        model.encoder.freeze()
    if config.warm_start:
        fit_head(model, corpus, learned, seed=seed)
    return model


def _copy_of(start: SemiSupervisedTextVAE | None) -> SemiSupervisedTextVAE | None:
    return None if start is None else copy.deepcopy(start)


def _loss_of_labels(
    config: ClassifyConfig, corpus: TokenizedCorpus, learned: np.ndarray, seed: int
) -> ClassificationLoss:
    return ClassificationLoss(
        corpus,
        weight=config.classification_weight,
        sentences=config.labelled_sentences,
        word_dropout=config.label_word_dropout,
        seed=seed,
        labelled=learned,
    )


def _judge(corpus: TokenizedCorpus, rows: np.ndarray, batch_tokens: int) -> Callable[[TextModel], float] | None:
    """A function of a model: the mean log-likelihood of the labels of these rows, nats, at the temperature that is best
    for them; None without rows."""
    if len(rows) == 0:
        return None
    truth_N = np.asarray(corpus.labels)[rows]

    def judge(model: TextModel) -> float:
        log_NC = log_probabilities(model, corpus, rows, batch_tokens)
        at_best_NC = tempered_log(log_NC, best_temperature(log_NC, truth_N))
        return float(at_best_NC[np.arange(len(truth_N)), truth_N].mean())

    return judge


def _require_labels(corpus: TokenizedCorpus) -> None:
    if len(corpus.label_names) < 2:
        raise ConfigError("the corpus has no labels, so it cannot have a [classify] stage; remove it from the recipe.")


def label_budget(config: ClassifyConfig, labels: np.ndarray, classes: int, seed: int) -> Budget:
    """Which training sentences show their label, and to what end.

    Args:
        config: says how many.
        labels: class of each training sentence, -1 for none, [N].
        classes: C.
        seed: of the draws.

    Raises:
        ConfigError: fewer sentences have a label, or all labels of a class would be held out.
    """
    count = int((labels >= 0).sum()) if config.labels == "all" else config.labels
    shown = choose_labelled(labels, count, classes, seed)
    held_out = hold_out(shown, labels, config.held_out_share(count, classes), seed)
    learned = np.setdiff1d(shown, held_out)
    hidden = np.setdiff1d(np.arange(len(labels)), shown)
    if config.unlabelled is not None:
        hidden = np.sort(np.random.default_rng([seed, 2]).permutation(hidden)[: config.unlabelled])
    return Budget(learned, held_out, np.union1d(hidden, held_out))


def _examples(corpus: TokenizedCorpus, budget: Budget) -> Iterator[Example]:
    for index in budget.learned.tolist():
        yield Example(corpus.text(index), corpus.label_names[corpus.labels[index]])
    for index in budget.unlabelled.tolist():
        yield Example(corpus.text(index), None)


@torch.no_grad()
def _calibrate(model: SemiSupervisedTextVAE, corpus: TokenizedCorpus, rows: np.ndarray, batch_tokens: int) -> float:
    """Divide the logits by the temperature that is best for the labels of these rows; it is returned."""
    if len(rows) == 0:
        return 1.0
    temperature = best_temperature(
        log_probabilities(model, corpus, rows, batch_tokens), np.asarray(corpus.labels)[rows]
    )
    model.scale_logits(1.0 / temperature)
    return temperature


@torch.no_grad()
def warm_start(model: TextModel, vae: TextModel) -> list[str]:
    """Copy a trained VAE's weights into the semi-supervised model.

    Where a layer reads the label as well, the columns for the label come last; the first columns get the weights of
    the VAE. The columns for the label are set to zero, so that the model starts as the VAE whatever the label.

    Returns:
        the names of the weights that were copied.
    """
    trained, copied = vae.state_dict(), []
    for name, weight in model.state_dict().items():
        source = trained.get(name)
        if source is None or source.dim() != weight.dim():
            continue
        if any(have > room for have, room in zip(source.shape, weight.shape, strict=True)):
            continue
        weight.zero_()
        weight[tuple(slice(0, size) for size in source.shape)] = source.to(weight.device)
        copied.append(name)
    return copied
