"""textvae's own classifiers: one VAE for each corpus, trained without labels, and the three methods on it."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import textvae
from benchmarks.semi_supervised.minilm import folder
from benchmarks.semi_supervised.protocol import SEED, UNLABELLED, Answer, Cell, Texts
from textvae.models import SemiSupervisedTextVAE, TextModel, TextVAEConfig
from textvae.pipeline.run_folder import open_model
from textvae.tasks.classifier_settings import ClassifyConfig
from textvae.tasks.classify import label_probabilities
from textvae.tasks.train_classifier import train_classifier
from textvae.tasks.word_mixture import WordMixtureConfig
from textvae.text.corpora import Example
from textvae.text.token_rows import TokenRows
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer, load_tokenizer

EPOCHS = {"yelp_short": 4, "mr": 12, "subj": 12, "trec": 15, "imdb": 4}
"""Of the VAE of each corpus, trained without labels."""
TOKENS = {"yelp_short": 20, "mr": 60, "subj": 60, "trec": 40, "imdb": 120}
"""Tokens of a text that our nets read."""
FEW = 60
"""Labels up to which the temperature is found in three folds instead of two, as each fold loses many of them."""
WHITESPACE = ("mr", "subj", "yelp_short")
"""Corpora whose texts are tokenized already."""


def recipe(corpus: str) -> dict[str, Any]:
    """The VAE of a corpus: an LSTM whose code must also predict the words by themselves, with 16 free nats."""
    sizes = {"embedding_dim": 256, "hidden_dim": 256, "dropout": 0.3}
    return {
        "name": f"few_labels_{corpus}",
        "corpus": corpus,
        "seed": SEED,
        "tokenize": {
            "max_tokens": TOKENS[corpus],
            "overlong": "truncate",
            "tokenizer": {
                "kind": "word",
                "vocab_size": 16_000,
                "split": "whitespace" if corpus in WHITESPACE else "words",
            },
        },
        "train": {
            "epochs": EPOCHS[corpus],
            "batch_tokens": 1024,
            "clip_norm": 5.0,
            "optimizer": {"kind": "adam", "lr": 2e-3},
            "decay": {"kind": "cosine", "final": 0.05},
            "early_stopping": 5,
            "regularizers": [{"kind": "bag_of_words", "weight": 1.0}],
            "objective": {
                "kind": "elbo",
                "kl_weight": {"kind": "linear", "start": 0.1, "end": 0.3},
                "free_bits": {"kind": "batch_mean", "nats": 16.0},
            },
            "model": {
                "kind": "text_vae",
                "latent_dim": 64,
                "encoder": {"kind": "lstm", **sizes, "bidirectional": True, "pooling": "max"},
                "decoder": {"kind": "lstm", **sizes, "z_to": "both", "word_dropout": 0.6},
            },
        },
    }


@lru_cache(maxsize=1)
def _trained(corpus: str, out: Path) -> tuple[TextModel, Tokenizer]:
    """The VAE of a corpus, trained first where it is not."""
    run = out / f"few_labels_{corpus}"
    textvae.run(recipe(corpus), out=run)
    return open_model(run / "train" / "model"), load_tokenizer(run / "tokenize" / "tokenizer")


@lru_cache(maxsize=1)
def _pretrained(corpus: str, out: Path) -> tuple[TextModel, Tokenizer]:
    """MiniLM inside a VAE that is not trained, with the tokenizer of the corpus' own VAE."""
    tokenizer = _trained(corpus, out)[1]
    small = {"kind": "lstm", "embedding_dim": 64, "hidden_dim": 64}
    encoder = {"kind": "pretrained", "model": str(folder()), "trainable": "all"}
    settings = TextVAEConfig.model_validate({"latent_dim": 16, "encoder": encoder, "decoder": small})
    model = settings.build(vocab_size=tokenizer.vocab_size, max_tokens=TOKENS[corpus])
    model.tokenizer = tokenizer
    return model, tokenizer


def _written(texts: Texts, tokenizer: Tokenizer, out: Path) -> TokenizedCorpus:
    """The training texts in their order, with their labels, of which a method sees those of its cell."""
    path = out / f"few_labels_{texts.name}.arrow"
    if not path.exists():
        examples = (Example(text, texts.names[label]) for text, label in zip(texts.texts, texts.labels, strict=True))
        write_tokenized(
            path,
            examples,
            tokenizer,
            max_tokens=TOKENS[texts.name],
            overlong="truncate",
            label_names=list(texts.names),
        )
    corpus = TokenizedCorpus(path)
    if not np.array_equal(np.asarray(corpus.labels), texts.labels):
        raise SystemExit(f"{path} has not the texts of {texts.name}; remove it.")
    return corpus


def _classified(
    model: TextModel, tokenizer: Tokenizer, texts: Texts, cell: Cell, out: Path, settings: dict[str, Any]
) -> Answer:
    """Train a classifier with a cell's labels, and let it answer."""
    if texts.name in UNLABELLED:
        raise SystemExit(f"our own nets do not read {texts.name} as the protocol asks yet; name other --corpora.")
    corpus = _written(texts, tokenizer, out)
    config = ClassifyConfig.model_validate({"labels": cell.labels, **settings})
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        train_classifier(
            config,
            corpus,
            corpus,
            Path(scratch) / "run",
            seed=cell.draw,
            tokenizer=tokenizer,
            vae=model,
            progress=False,
        )
        found = SemiSupervisedTextVAE.from_pretrained(Path(scratch) / "run" / "model").eval()
    found.encoder.freeze()
    most = TOKENS[texts.name]
    rows = tokenizer.encode_batch(texts.test_texts)
    stated = label_probabilities(found, TokenRows([row[:most] for row in rows]))
    learned = config.method == "semi_supervised"
    return Answer(
        stated.argmax(-1),
        stated,
        unlabeled=min(WordMixtureConfig().sentences, len(texts.texts) - cell.labels) if learned else 0,
        truncated=any(len(row) > most for row in rows),
    )


def supervised(texts: Texts, cell: Cell, out: Path) -> Answer:
    """The VAE's encoder and a classifier, all weights trained by the labels alone."""
    return _classified(*_trained(texts.name, out), texts, cell, out, {"method": "supervised"})


def probe(texts: Texts, cell: Cell, out: Path) -> Answer:
    """A linear layer on the VAE's frozen encoder, and on n-grams."""
    return _classified(*_trained(texts.name, out), texts, cell, out, {"method": "probe"})


def semi_supervised(texts: Texts, cell: Cell, out: Path) -> Answer:
    """A mixture of unigrams and the linear layer, learned from all sentences."""
    return _classified(*_trained(texts.name, out), texts, cell, out, {"epochs": 0, "train_encoder": False})


def semi_supervised_pretrained(texts: Texts, cell: Cell, out: Path) -> Answer:
    """The same with MiniLM as the encoder, trained on pairs of labelled texts before."""
    pairs = {"precision": "bf16", "folds": 3 if cell.labels <= FEW else 2}
    settings = {"epochs": 0, "train_encoder": False, "words": {"word_weight": 1.0}, "contrast": pairs}
    return _classified(*_pretrained(texts.name, out), texts, cell, out, settings)
