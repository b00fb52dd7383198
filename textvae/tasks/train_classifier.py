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
from textvae.evaluation.calibration import best_temperature, likelihood_at_best
from textvae.models import SemiSupervisedTextVAE, TextModel
from textvae.regularizers import ClassificationLoss
from textvae.tasks.classifier_settings import ClassifyConfig, Method, check_classifier, words_of
from textvae.tasks.classifier_start import Budget, label_budget, require_labels, start_of, with_encoder
from textvae.tasks.classify import log_probabilities
from textvae.tasks.fine_tune import fine_tune
from textvae.tasks.sentences import DECODER_KNOWS_LABELS
from textvae.tasks.word_mixture import WordMixtureConfig, learn_words
from textvae.text.corpora import Example
from textvae.text.few_labels import stratified_folds
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer
from textvae.training import TrainConfig, train
from textvae.training.folder import MODEL_FOLDER, claim_training
from textvae.training.validation import isolated_randomness


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
    require_labels(train_corpus)
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
            if config.contrast is not None and config.contrast.folds and not config.epochs:
                folds = config.contrast.folds
                temperature = _cross_fitted(config, folds, train_corpus, budget, words, seed, tokenizer, vae)
                model.scale_logits(1.0 / temperature)
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
    told = {
        "method": config.method,
        "temperature": temperature,
        DECODER_KNOWS_LABELS: bool(numbers) and model.card.get("epoch") != 0,
    }
    model.save_pretrained(out / MODEL_FOLDER, {**model.card, **told})
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
    require_labels(corpus)
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


def _cross_fitted(
    config: ClassifyConfig,
    folds: int,
    corpus: TokenizedCorpus,
    budget: Budget,
    words: WordMixtureConfig,
    seed: int,
    tokenizer: Tokenizer,
    vae: TextModel,
) -> float:
    """The best temperature of classifiers for the labels that they have not learned: in each fold of a cross-validation
    the encoder is trained on pairs anew; 1 where a class has a single sentence."""
    truth_N = np.asarray(corpus.labels)[budget.learned]
    splits = stratified_folds(truth_N, folds, seed)
    if not splits:
        return 1.0
    log_NC = np.zeros((len(truth_N), len(corpus.label_names)))
    for kept, left_out in splits:
        fewer, others = budget.learned[kept], budget.learned[left_out]
        model = with_encoder(config, corpus, fewer, seed=seed, tokenizer=tokenizer, vae=vae)
        learn_words(model, corpus, fewer, np.union1d(budget.unlabelled, others), words, judged=False, seed=seed)
        log_NC[left_out] = log_probabilities(model, corpus, others, config.batch_tokens)
    return best_temperature(log_NC, truth_N)


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
        return likelihood_at_best(log_probabilities(model, corpus, rows, batch_tokens), truth_N)[0]

    return judge


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
