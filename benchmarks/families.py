"""Train every family of posterior, prior and objective under one budget, and write `families.json` and its pages.

    TEXTVAE_DATA=... python -m benchmarks.families --out DIR
    TEXTVAE_DATA=... python -m benchmarks.families --out DIR --rows gaussian mixture --decoders transformer
    TEXTVAE_DATA=... python -m benchmarks.families --out DIR --rows gaussian --decoders lstm --evaluate
    python -m benchmarks.families --out DIR --collect

A row is a recipe `pipelines/family_NAME.toml` with one of two decoders. Its run folder is DIR/families_DECODER_NAME; an
interrupted run resumes there, and a finished run is not repeated. Other rows of the file are not changed. `--collect`
runs nothing and reads the finished runs in DIR. `--evaluate` trains nothing and evaluates again with the present code
and settings; the row then has this commit beside that of its training.

Every training takes at most about 15 minutes of a core: each recipe has as many epochs as fit into this time with the
LSTM (`train_cpu_seconds` is the actual time), or fewer if validation stops improving. Rows that start from the Gaussian
row with the same decoder name it in `starts_from`; their times do not include its training. The row `unigram` is the
likelihood of the same sentences under the frequencies of words, which every model must beat.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pages, results_file
from benchmarks.family_pages import FAMILIES, UNIGRAM
from benchmarks.rows import RowRun
from textvae.evaluation import chosen_sentences
from textvae.pipeline.by_sentence import BY_SENTENCE
from textvae.pipeline.comparing import paired_runs, read_run
from textvae.pipeline.manifest import read_manifest
from textvae.text.tokenized import TokenizedCorpus
from textvae.types import BOS_ID, EOS_ID, PAD_ID

ROWS = tuple(FAMILIES)
"""Every family: the recipe of a row is `pipelines/family_ROW.toml`."""

DECODERS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "transformer": {
        "train.optimizer.lr": 1e-3,
        "train.model.decoder": {
            "kind": "transformer",
            "model_dim": 128,
            "layers": 2,
            "heads": 4,
            "z_to": "prefix",
            "dropout": 0.2,
            "word_dropout": 0.1,
            "tie_embeddings": True,
        },
    },
}
"""Decoder -> settings laid over a recipe."""

STARTS_FROM_GAUSSIAN = ("semi_amortized", "hamiltonian", "stein", "iwae", "renyi")
"""Rows that begin with the weights of the Gaussian row with the same decoder."""


def folder_of(out: Path, decoder: str, row: str) -> Path:
    return out / f"families_{decoder}_{row}"


def overlay_of(row: str, decoder: str, out: Path) -> dict[str, Any]:
    """The settings laid over a row's recipe."""
    overlay = dict(DECODERS[decoder])
    if row == "language_model" and "train.model.decoder" in overlay:
        # It has no z that could enter.
        overlay["train.model.decoder"] = {k: v for k, v in overlay["train.model.decoder"].items() if k != "z_to"}
    if row in STARTS_FROM_GAUSSIAN:
        # Its own, smaller learning rate goes with starting from trained weights.
        overlay.pop("train.optimizer.lr", None)
        overlay["train.start_from"] = {"run": str(folder_of(out, decoder, "gaussian")), "parts": "all"}
    return overlay


def run_of(row: str, decoder: str, out: Path) -> RowRun:
    """The run of a row with a decoder."""
    command = f"python -m benchmarks.families --rows {row} --decoders {decoder} --out RUNS"
    source = "gaussian" if row in STARTS_FROM_GAUSSIAN else ""
    recipe = f"pipelines/family_{row}.toml"
    return RowRun(recipe, overlay_of(row, decoder, out), folder_of(out, decoder, row), command, source)


def collect(row: str, decoder: str, out: Path) -> dict[str, Any] | None:
    """The row of a finished run; None when it is not finished.

    Raises:
        SystemExit: the run was made by other settings than this row has.
    """
    run = run_of(row, decoder, out)
    collected = run.collect()
    if collected is None:
        return None
    found, report = collected
    # With the defaults that the recipe leaves out.
    manifest = read_manifest(run.folder / "train")
    assert manifest is not None
    model, sentences = manifest.config["model"], report["tokenize"]["train"]["sentences"]
    kinds = {part: model[part]["kind"] for part in ("posterior", "prior") if part in model}
    kinds |= {"objective": manifest.config["objective"]["kind"], "decoder": decoder}
    found |= {name: value for name, value in report["evaluate"].items() if name.startswith(("ais_", "simulated_"))}
    found["seconds_per_1000"] = round(1000 * found["train_cpu_seconds"] / (sentences * found["epochs"]), 3)
    if "iw_nll" in found:
        found |= beyond_gaussian(row, decoder, out)
    return {"name": row, **kinds, **found}


def beyond_gaussian(row: str, decoder: str, out: Path) -> dict[str, float | None]:
    """By how many nats a sentence is less likely than in the Gaussian row with the same decoder, over the same test
    sentences, and the standard error of that; nothing while one of the two is missing."""
    run, gaussian = (folder_of(out, decoder, name) for name in (row, "gaussian"))
    if row == "gaussian" or not all((folder / "evaluate" / BY_SENTENCE).exists() for folder in (run, gaussian)):
        return {}
    found = paired_runs(read_run(run), read_run(gaussian))
    return {"beyond_gaussian": found.difference, "beyond_gaussian_se": found.difference_se}


def unigram(folder: Path) -> dict[str, Any]:
    """The likelihood of the evaluated sentences under the frequencies of the training words, one added to each.

    Args:
        folder: a finished run of any row.
    """
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    settings, seed = report["run"]["settings"]["evaluate"], report["run"]["seed"]
    train, test = (TokenizedCorpus(folder / "tokenize" / f"{split}.arrow") for split in ("train", "test"))

    def predicted(corpus: TokenizedCorpus, i: int) -> np.ndarray:
        return np.append(corpus.ids(i), EOS_ID)

    counts_V = np.ones(report["tokenize"]["vocab_size"])
    for i in range(len(train)):
        np.add.at(counts_V, predicted(train, i), 1)
    # Padding and BOS are never predicted.
    counts_V[[PAD_ID, BOS_ID]] = 0
    with np.errstate(divide="ignore"):
        log_p_V = np.log(counts_V / counts_V.sum())
    chosen = chosen_sentences(len(test), settings["max_sentences"], seed)
    nll_N = np.array([-log_p_V[predicted(test, int(i))].sum() for i in chosen])
    tokens = sum(len(predicted(test, int(i))) for i in chosen)
    assert tokens == report["evaluate"]["tokens"], "other sentences than the run's were measured"
    return {
        "name": UNIGRAM,
        "seed": seed,
        "decoder": UNIGRAM,
        "iw_nll": float(nll_N.mean()),
        "elbo_nll": float(nll_N.mean()),
        "iw_nll_se": 0.0,
        "kl": 0.0,
        "ppl": math.exp(nll_N.sum() / tokens),
        "tokens": tokens,
        "sentences": len(chosen),
        "split": "test",
    }


def write(pairs: list[tuple[str, str]], out: Path) -> None:
    """Put the finished ones of these rows, each with its decoder, into the results file."""
    found = [(folder_of(out, decoder, row), collect(row, decoder, out)) for row, decoder in pairs]
    finished = [(folder, row) for folder, row in found if row is not None]
    if not finished:
        return
    names, decoders = [UNIGRAM, *ROWS], [UNIGRAM, *DECODERS]
    results_file.add(
        "families",
        [unigram(finished[0][0]), *(row for _, row in finished)],
        lambda one: (decoders.index(one["decoder"]), names.index(one["name"]), one["seed"]),
        "python -m benchmarks.families --out RUNS",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--decoders", nargs="+", choices=DECODERS, default=list(DECODERS), metavar="DECODER")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--collect", action="store_true", help="run nothing")
    instead.add_argument("--evaluate", action="store_true", help="evaluate trained rows again")
    args = parser.parse_args()
    for decoder in args.decoders:
        for row in args.rows:
            run = run_of(row, decoder, args.out)
            if args.evaluate:
                run.evaluate()
            elif not args.collect:
                run.train()
            write([(row, decoder)], args.out)
    pages.write_all()


if __name__ == "__main__":
    main()
