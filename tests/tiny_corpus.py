"""A corpus with labels, small enough for a whole pipeline inside of a test, and a recipe beside it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from textvae.pipeline.new import to_toml

TOKENIZE: dict[str, Any] = {
    "max_tokens": 10,
    "tokenizer": {"kind": "word", "split": "whitespace", "vocab_size": 100},
}
"""The stage's settings, enough for all of its words."""

SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "corpus": "card",
    "tokenize": TOKENIZE,
    "train": {
        "epochs": 2,
        "batch_tokens": 512,
        "log_every": 2,
        "optimizer": {"kind": "adam", "lr": 1e-2},
        "model": {
            "kind": "text_vae",
            "latent_dim": 4,
            "encoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16},
            "decoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16},
        },
    },
    "evaluate": {"iw_samples": 3, "quality_samples": 10, "samples": 5},
    "classify": {"labels": 20, "epochs": 1},
    "impute": {"sentences": 20, "texts": ["the ___ is good", "the ___* bad"], "samples": 4},
    "interpolate": {"count": 2, "steps": 3},
}
"""A recipe of every stage, each of them done in a second."""


def write_tiny(folder: Path, settings: dict[str, Any], sentences: int) -> Path:
    """Write `text.tsv`, `card.toml` and the recipe `tiny.toml`.

    Args:
        folder: where.
        settings: of the recipe, whose corpus is `card.toml`.
        sentences: how many; each says of a thing that it is good or bad, and is labelled `pos` or `neg`.

    Returns:
        the recipe.
    """
    rng = random.Random(0)
    rows = ["label\ttext"]
    for _ in range(sentences):
        good = rng.random() < 0.5
        said = rng.choice(["good", "great", "fine"] if good else ["bad", "poor", "sad"])
        rows.append(f"{'pos' if good else 'neg'}\tthe {rng.choice('abcdefgh')} {rng.choice('ijklmnop')} is {said}")
    (folder / "text.tsv").write_text("\n".join(rows) + "\n")
    card = {"kind": "tsv", "licence": "public domain", "text_column": "text", "label_column": "label",
            "files": {"train": "text.tsv"}, "split_fractions": {"train": 0.8, "valid": 0.1, "test": 0.1}}  # fmt: skip
    (folder / "card.toml").write_text(to_toml(card, "A card."))
    recipe = folder / "tiny.toml"
    recipe.write_text(to_toml(settings, "A recipe."))
    return recipe
