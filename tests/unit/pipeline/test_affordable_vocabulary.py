"""`textvae new` gives up rare words rather than epochs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from textvae.pipeline.new import MIN_VOCABULARY, new_recipe


@pytest.mark.parametrize(("speed", "smaller"), [(1e13, False), (1e8, True)])
def test_a_slow_machine_gets_a_smaller_vocabulary_not_three_epochs_of_a_large_one(
    tmp_path: Path, speed: float, smaller: bool
) -> None:
    generator = np.random.default_rng(0)
    words = [f"word{number}" for number in range(9000)]
    lines = [" ".join(generator.choice(words, 8)) for _ in range(4000)]
    file = tmp_path / "many.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path, _ = new_recipe(file, minutes=5.0, out=tmp_path, operations_per_second=speed)
    vocab_size = tomllib.loads(path.read_text(encoding="utf-8"))["tokenize"]["tokenizer"]["vocab_size"]
    assert (vocab_size < 2 * MIN_VOCABULARY) is smaller
    assert vocab_size >= MIN_VOCABULARY
