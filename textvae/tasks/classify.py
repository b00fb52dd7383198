"""Semi-supervised classification: training from few labels and unlabelled sentences, prediction, and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, ValidationError

from textvae.arguments import checked_seed
from textvae.config import MAX_BATCH_TOKENS, MAX_STEPS, Config, first_problem
from textvae.errors import ConfigError, ModelError
from textvae.evaluation.protocol import cpu64
from textvae.evaluation.sweep import sweep
from textvae.models import ModelSettings, SemiSupervisedConfig, TextModel
from textvae.models.support import kl_has_dimensions
from textvae.objectives import BatchMeanFreeBitsConfig, ELBOConfig, ObjectiveConfig, RateFreeBitsConfig
from textvae.regularizers import ClassificationLoss, RegularizerConfig
from textvae.results import Classification
from textvae.text.batching import checked_ids
from textvae.text.corpora import Example
from textvae.text.few_labels import choose_labelled
from textvae.text.given import GivenOverlong, checked_texts
from textvae.text.token_rows import TokenRows
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer
from textvae.training import AdamConfig, OptimizerConfig, TrainConfig, TrainResult, train
from textvae.training.folder import claim_training

VALIDATED = 2000
"""Validation sentences whose bound is measured after an epoch, at most; the accuracy is that of `valid_labels`."""


class ClassifyConfig(Config):
    """Settings of a classifier: a recipe's `[classify]` table."""

    labels: int = Field(
        500,
        gt=1,
        description="training sentences whose label is used, the same number from each class; all of a class that has "
        "fewer",
    )
    valid_labels: int | None = Field(
        None,
        gt=0,
        description="validation sentences whose labels select the best epoch; as many as `labels` when absent",
    )
    unlabelled: int | None = Field(
        None, ge=0, description="training sentences used without a label; all others when absent"
    )
    model: SemiSupervisedConfig | None = Field(
        None, description="the classifier's parts; when absent, those of the trained VAE"
    )
    warm_start: bool = Field(True, description="start from the weights of the trained VAE where their shapes fit")
    objective: ObjectiveConfig | None = Field(
        None,
        description="when absent, the ELBO with 8 free nats: by dimension if the KL is known by dimension, else of the "
        "total KL",
    )
    optimizer: OptimizerConfig = Field(default_factory=AdamConfig)
    classification_weight: float = Field(
        20.0, gt=0, description="weight of the classifier's cross-entropy against the bound"
    )
    regularizers: tuple[RegularizerConfig, ...] = Field(
        (), description="as in [train]; 'consistency' makes use of sentences without a label"
    )
    label_word_dropout: float = Field(
        0.3, ge=0, lt=1, description="share of a labelled sentence's words hidden from the classifier"
    )
    labelled_sentences: int = Field(64, gt=0, description="labelled sentences in each step")
    epochs: int = Field(5, gt=0, le=MAX_STEPS)
    early_stopping: int | None = Field(None, gt=0, description="epochs of patience on the validation accuracy")
    batch_tokens: int = Field(2048, gt=0, le=MAX_BATCH_TOKENS)
    clip_norm: float = Field(5.0, gt=0, allow_inf_nan=True, description="as in [train]")


def check_classifier(config: ClassifyConfig, vae: ModelSettings) -> tuple[SemiSupervisedConfig, ObjectiveConfig]:
    """The model and the objective of a classifier, with defaults filled in.

    Args:
        config: settings of the classifier.
        vae: settings of the trained model, whose parts are used where `config.model` is None.

    Raises:
        ConfigError: a classifier cannot have these parts, or the objective does not fit them.

    >>> from textvae.models import TextVAEConfig
    >>> model, objective = check_classifier(ClassifyConfig(), TextVAEConfig(latent_dim=7))
    >>> model.latent_dim, objective.free_bits.nats
    (7, 8.0)
    """
    model = config.model
    if model is None:
        shared = SemiSupervisedConfig.model_fields.keys() - {"kind"}
        parts = vae.model_dump(include=set(shared)) if vae.has_code else {}
        try:
            model = SemiSupervisedConfig.model_validate(parts)
        except ValidationError as error:
            raise ConfigError(
                "without a [classify.model] of its own, [classify] uses the parts of the trained model, and "
                f"{first_problem(error)}; to keep the trained model as it is, remove [classify], or write the parts of "
                "the classifier into [classify.model]."
            ) from None
    objective = config.objective
    if objective is None:
        by_dimension = kl_has_dimensions(model.posterior, model.prior)
        free_bits = (BatchMeanFreeBitsConfig if by_dimension else RateFreeBitsConfig)(nats=8.0)
        objective = ELBOConfig(free_bits=free_bits)
    if objective.gradient_estimator == "doubly_reparameterized":
        raise ConfigError(
            "setting 'classify.objective': doubly reparameterized gradients would scale the gradients of the "
            'classifier\'s cross-entropy too; set classify.objective.gradient = "plain".'
        )
    try:
        TrainConfig(model=model, objective=objective, regularizers=config.regularizers, epochs=config.epochs)
    except ValidationError as error:
        raise ConfigError(f"setting 'classify.objective' or 'classify.regularizers': {first_problem(error)}.") from None
    return model, objective


def classify(model: TextModel, texts: Iterable[str], *, overlong: GivenOverlong = "error") -> list[Classification]:
    """Classify sentences.

    Args:
        model: with a classifier.
        texts: sentences.
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate"); their `text` stays as given.

    Raises:
        ModelError: the model has no classifier.
        DataError: a sentence is empty, or too long.
    """
    if not model.config.classifies:
        raise ModelError(
            f"a '{model.config.kind}' model cannot classify; use the run's classify/model, "
            "or add a [classify] table to the recipe of a corpus with labels."
        )
    texts = checked_texts(texts)
    rows = TokenRows(checked_ids(texts, model.require_tokenizer(), model.max_tokens, overlong=overlong))
    answers = []
    for text, row in zip(texts, label_probabilities(model, rows).tolist(), strict=True):
        best = int(np.argmax(row))
        by_name = dict(zip(model.label_names, row, strict=True))
        answers.append(Classification(text, model.label_names[best], row[best], by_name))
    return answers


def label_probabilities(model: TextModel, rows: TokenRows) -> np.ndarray:
    """q(y|x) of each sentence, float32 [N, C], the labels in the order of `label_names`.

    Args:
        model: with a classifier.
        rows: sentences, read in batches of bounded size.
    """
    found_NC = np.zeros((len(rows), len(model.label_names)), dtype=np.float32)
    with sweep(model, rows, np.arange(len(rows)), "classify") as parts:
        for part in parts:
            found_NC[part.rows] = model.label_log_prob(part.batch).exp().cpu().numpy()
    return found_NC


def train_classifier(
    config: ClassifyConfig,
    train_corpus: TokenizedCorpus,
    valid_corpus: TokenizedCorpus,
    out: Path,
    *,
    seed: int,
    tokenizer: Tokenizer,
    vae: TextModel,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train a semi-supervised VAE from few labels; the best model is left in ``out/model``.

    Labels that are not used are removed from the data: ``out/train.arrow`` contains the chosen sentences, most of
    them without a label. The best epoch is selected by the accuracy on `valid_labels` validation labels, not on all;
    by the bound where no validation sentence has a label.

    Raises:
        ConfigError: the corpus has no labels, or fewer than `config.labels`.
    """
    seed = checked_seed(seed)
    names = train_corpus.label_names
    if len(names) < 2:
        raise ConfigError("the corpus has no labels, so it cannot have a [classify] stage; remove it from the recipe.")
    claim_training(out)
    shown = choose_labelled(np.asarray(train_corpus.labels), config.labels, len(names), seed)
    hidden = np.setdiff1d(np.arange(len(train_corpus)), shown)
    if config.unlabelled is not None:
        hidden = np.sort(np.random.default_rng([seed, 2]).permutation(hidden)[: config.unlabelled])
    few = out / "train.arrow"
    if not few.exists():
        write_tokenized(
            few,
            _examples(train_corpus, shown, hidden),
            tokenizer,
            max_tokens=vae.max_tokens,
            overlong="truncate",
            label_names=list(names),
        )
    corpus = TokenizedCorpus(few)
    judged = validation_labels(config, valid_corpus, seed)

    model_config, objective = check_classifier(config, vae.config)
    torch.manual_seed(seed)
    model = model_config.build(vocab_size=tokenizer.vocab_size, max_tokens=vae.max_tokens, label_names=names)
    if config.warm_start:
        warm_start(model, vae)
    settings = TrainConfig(
        model=model_config,
        objective=objective,
        optimizer=config.optimizer,
        regularizers=config.regularizers,
        epochs=config.epochs,
        valid_sentences=VALIDATED,
        early_stopping=config.early_stopping,
        batch_tokens=config.batch_tokens,
        clip_norm=config.clip_norm,
    )
    return train(
        settings,
        corpus,
        valid_corpus,
        out,
        seed=seed,
        tokenizer=tokenizer,
        label_names=names,
        card=card,
        max_tokens=vae.max_tokens,
        initial_model=model,
        regularizer=ClassificationLoss(
            corpus,
            weight=config.classification_weight,
            sentences=config.labelled_sentences,
            word_dropout=config.label_word_dropout,
            seed=seed,
        ),
        validation_metric=(lambda _: accuracy_on(model, valid_corpus, judged, config.batch_tokens))
        if len(judged)
        else None,
        progress=progress,
    )


def validation_labels(config: ClassifyConfig, valid_corpus: TokenizedCorpus, seed: int) -> np.ndarray:
    """The validation sentences whose labels choose the best epoch, [M]; none where no validation sentence has one.

    Args:
        config: says how many.
        valid_corpus: the validation split.
        seed: of the draw.
    """
    labelled = np.flatnonzero(np.asarray(valid_corpus.labels) >= 0)
    return np.sort(np.random.default_rng([seed, 3]).permutation(labelled)[: config.valid_labels or config.labels])


def _examples(corpus: TokenizedCorpus, shown: np.ndarray, hidden: np.ndarray) -> Iterator[Example]:
    for index in shown.tolist():
        yield Example(corpus.text(index), corpus.label_names[corpus.labels[index]])
    for index in hidden.tolist():
        yield Example(corpus.text(index), None)


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


def _label_probabilities(
    model: TextModel, corpus: TokenizedCorpus, indices: np.ndarray, batch_tokens: int
) -> np.ndarray:
    """q(y|x) of some sentences, float64 [N, C], in the order of `indices`."""
    found = np.zeros((len(indices), len(model.label_names)))
    with sweep(model, corpus, indices, "classification", batch_tokens=batch_tokens) as parts:
        for part in parts:
            found[part.rows] = cpu64(model.label_log_prob(part.batch).exp())
    return found


def accuracy_on(model: TextModel, corpus: TokenizedCorpus, rows: np.ndarray, batch_tokens: int) -> float:
    """Share of some sentences whose likeliest label is the true one."""
    chosen = _label_probabilities(model, corpus, rows, batch_tokens).argmax(-1)
    return float((chosen == np.asarray(corpus.labels)[rows]).mean())


def evaluate_classifier(
    model: TextModel,
    test_corpus: TokenizedCorpus,
    train_corpus: TokenizedCorpus,
    *,
    batch_tokens: int = 8192,
) -> dict[str, Any]:
    """Measure a classifier on held-out sentences.

    Args:
        model: the classifier.
        test_corpus: sentences with labels; those without one are left out.
        train_corpus: where the most frequent label, the baseline, is counted.
        batch_tokens: budget of a batch.

    Returns:
        accuracy and its standard error, majority_accuracy (of always predicting training's most frequent label),
        nll (mean of -log q(y|x), nats), sentences, label_names, confusion (rows: true label, columns: predicted label)
        and f1 by label. Nothing where no test sentence has a label.
    """
    truth_N = np.asarray(test_corpus.labels)
    rows = np.flatnonzero(truth_N >= 0)
    if len(rows) == 0:
        return {}
    truth = truth_N[rows]
    probabilities = _label_probabilities(model, test_corpus, rows, batch_tokens)
    answers = probabilities.argmax(-1)
    classes = len(model.label_names)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truth, answers), 1)
    seen = np.asarray(train_corpus.labels)
    majority = int(np.bincount(seen[seen >= 0], minlength=classes).argmax())
    accuracy = float((answers == truth).mean())
    hits = np.diag(confusion)
    f1 = 2 * hits / np.maximum(confusion.sum(0) + confusion.sum(1), 1)
    true_probability = probabilities[np.arange(len(rows)), truth]
    return {
        "accuracy": accuracy,
        "accuracy_se": float(np.sqrt(accuracy * (1 - accuracy) / len(rows))),
        "majority_accuracy": float((truth == majority).mean()),
        "majority_label": model.label_names[majority],
        "nll": float(-np.log(np.maximum(true_probability, 1e-300)).mean()),
        "sentences": len(rows),
        "label_names": list(model.label_names),
        "confusion": confusion.tolist(),
        "f1": {name: float(value) for name, value in zip(model.label_names, f1, strict=True)},
    }
