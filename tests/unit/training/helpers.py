"""A corpus and models small enough to train in a second."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textvae.config import parse
from textvae.text.corpora.base import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer, WordConfig
from textvae.training import TrainConfig

_SUBJECTS = ["the cat", "a dog", "my old friend", "the king", "no man", "every small bird"]
_VERBS = ["sees", "eats", "wants", "follows", "forgets"]
_OBJECTS = ["the sea", "bread", "a long road", "nothing", "the king of the hill", "a dog"]
LABELS = ("short", "long")


def sentences(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choice(part) for part in (_SUBJECTS, _VERBS, _OBJECTS)) for _ in range(count)]


def write_corpora(folder: Path, train: int = 48, valid: int = 24) -> tuple[TokenizedCorpus, TokenizedCorpus, Tokenizer]:
    """Made-up sentences, labelled by whether they have more than five words."""
    tokenizer = WordConfig(vocab_size=60).train(sentences(200, 0))
    corpora = []
    for name, count, seed in (("train", train, 1), ("valid", valid, 2)):
        path = folder / f"{name}.arrow"
        if not path.exists():
            examples = [Example(text, LABELS[len(text.split()) > 5]) for text in sentences(count, seed)]
            write_tokenized(path, examples, tokenizer, max_tokens=12, label_names=LABELS)
        corpora.append(TokenizedCorpus.open(path))
    return corpora[0], corpora[1], tokenizer


MODEL: dict[str, Any] = {
    "kind": "text_vae",
    "latent_dim": 3,
    "encoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 9},
    "decoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 9, "word_dropout": 0.3, "dropout": 0.1},
}
LANGUAGE_MODEL: dict[str, Any] = {"kind": "language_model", "decoder": MODEL["decoder"]}


def config(**settings: Any) -> TrainConfig:
    """Two epochs over batches of about eight sentences, if not told otherwise."""
    base: dict[str, Any] = {"model": MODEL, "epochs": 2, "batch_tokens": 80, "log_every": 1}
    return parse(TrainConfig, {**base, **settings}, "test")


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def training_lines(out: Path) -> list[dict[str, Any]]:
    return [line for line in lines(out) if "loss" in line]


def validation_lines(out: Path) -> list[dict[str, Any]]:
    return [line for line in lines(out) if "valid_elbo_nll" in line]


TIMES = ("seconds", "tokens_per_second")


def without_times(values: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in TIMES} for line in values]
