"""A model trained without regard to its prior, through the command line: what its users are told of drawing codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny_corpus import TOKENIZE, write_tiny
from tests.unit.pipeline.test_cli import run

LSTM = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16}
NOTE = "was not trained on codes like the prior's"


@pytest.mark.parametrize("kind", ["unregularized", None])
def test_codes_of_the_prior_are_called_what_they_are(kind: str | None, tmp_path: Path) -> None:
    """By `generate` and in the report; a walk has nothing to be told, nor has a model with a KL."""
    settings: dict[str, Any] = {
        "name": "tiny",
        "corpus": "card",
        "tokenize": TOKENIZE,
        "train": {
            "epochs": 1,
            "guard_sentences": 0,
            **({"objective": {"kind": kind}} if kind else {}),
            "model": {"kind": "text_vae", "latent_dim": 4, "encoder": LSTM, "decoder": LSTM},
        },
        "evaluate": {"iw_samples": 2, "samples": 3, "quality_samples": 0},
    }
    write_tiny(tmp_path, settings, sentences=100)
    done = run("run", "tiny.toml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = kind == "unregularized"
    drawn = run("generate", "run", "-n", "2", cwd=tmp_path)
    assert drawn.returncode == 0 and (NOTE in drawn.stderr) == told
    walked = run("generate", "run", "-n", "2", "--start", "the food is good", cwd=tmp_path)
    assert walked.returncode == 0 and NOTE not in walked.stderr, walked.stderr
    assert (NOTE in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")) == told
