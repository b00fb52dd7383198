"""What a classifier begins with: the sentences that show their label, the weights of the VAE, and a linear layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from textvae.errors import ConfigError
from textvae.models import SemiSupervisedTextVAE, TextModel
from textvae.tasks.classifier_settings import ClassifyConfig, check_classifier
from textvae.tasks.contrast import contrast
from textvae.tasks.linear_head import count_ngrams, fit_head
from textvae.text.few_labels import choose_labelled, hold_out
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers import Tokenizer
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


def require_labels(corpus: TokenizedCorpus) -> None:
    """Refuse a corpus from which no classifier can learn.

    Raises:
        ConfigError: it has fewer than two labels.
    """
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


def start_of(
    config: ClassifyConfig, corpus: TokenizedCorpus, *, seed: int, tokenizer: Tokenizer, vae: TextModel
) -> SemiSupervisedTextVAE:
    """The classifier before its training, which is the same for all methods.

    It is `with_encoder`, and its linear layer is that of a logistic regression.

    Args:
        config: the settings.
        corpus: the training sentences, with labels.
        seed: as of `train_classifier`.
        tokenizer: of the corpus.
        vae: the trained VAE.

    Raises:
        ConfigError: the corpus has no labels, or fewer than `config.labels`.
    """
    require_labels(corpus)
    learned = label_budget(config, np.asarray(corpus.labels), len(corpus.label_names), seed).learned
    model = with_encoder(config, corpus, learned, seed=seed, tokenizer=tokenizer, vae=vae)
    if config.warm_start:
        fit_head(model, corpus, learned, seed=seed)
    return model


def with_encoder(
    config: ClassifyConfig,
    corpus: TokenizedCorpus,
    learned: np.ndarray,
    *,
    seed: int,
    tokenizer: Tokenizer,
    vae: TextModel,
) -> SemiSupervisedTextVAE:
    """The classifier whose linear layer has learned nothing yet.

    It has the weights of the VAE where their shapes fit, and its encoder is trained on pairs where `config.contrast`
    says so.

    Args:
        config: the settings.
        corpus: the training sentences, with labels.
        learned: the sentences whose label is learned.
        seed: as of `train_classifier`.
        tokenizer: of the corpus.
        vae: the trained VAE.
    """
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
    return model


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
