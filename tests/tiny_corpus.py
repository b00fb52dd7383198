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
