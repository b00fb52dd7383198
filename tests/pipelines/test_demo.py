"""The demo, as its recipe stands: the whole path on real text, at its full size; among the slow tests."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from textvae.pipeline.reading import read_recipe
from textvae.text.tokenized import write_tokenized
from textvae.text.tokenizers import WordConfig

PROMISED = {
    "evaluate": "iw_nll iw_nll_se iw_samples elbo_nll kl mi active_units ppl tokens collapsed bleu exact_match",
    "classify": "accuracy labels majority_accuracy",
    "impute": "accuracy baseline_accuracy sentences",
    "train": "tokens_per_second peak_memory_mb",
}


@pytest.mark.slow
def test_the_demo_ends_with_a_z_that_is_used(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "textvae", "run", "demo", "--out", str(out)]
    # As a user runs it: with all cores, not with the single thread that parallel tests are given.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run(command, check=True, env=environment)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    for stage, names in PROMISED.items():
        assert set(names.split()) <= report[stage].keys()
    measured = report["evaluate"]
    assert measured["collapsed"] is False, measured["verdict"]
    assert measured["kl"] >= 3.0 and measured["active_units"] >= 12
    assert measured["iw_nll"] <= measured["elbo_nll"]
    assert math.isclose(measured["ppl"], math.exp(measured["iw_nll"] * measured["sentences"] / measured["tokens"]))
    assert report["impute"]["sentences"] >= 500
    assert report["impute"]["accuracy"] > 2 * report["impute"]["baseline_accuracy"]
    assert report["classify"]["accuracy"] > report["classify"]["majority_accuracy"] + 0.1
    page = (out / "report.html").read_text(encoding="utf-8")
    # Self-contained: nothing is loaded from elsewhere (the names of XML vocabularies in a picture are no addresses).
    assert not re.search(r"""(src|href)=["']https?:|<link |@import|<script [^>]""", page)
    again = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert "up to date" in again.stderr and "running" not in again.stderr


@pytest.mark.corpus
@pytest.mark.skipif("TEXTVAE_DATA" not in os.environ, reason="TEXTVAE_DATA names no folder of corpora")
def test_the_penn_treebank_has_its_published_size(tmp_path: Path) -> None:
    """3761 test sentences and 82430 tokens with EOS: the unit in which perplexities are compared."""
    corpus = read_recipe("ptb_lm").corpus
    examples = list(corpus.read("test"))
    tokenizer = WordConfig(vocab_size=10_000, split="whitespace").train(
        example.text for example in corpus.read("train")
    )
    report = write_tokenized(tmp_path / "test.arrow", examples, tokenizer, max_tokens=100, overlong="error")
    assert report.sentences == 3761
    assert report.tokens + report.sentences == 82430
