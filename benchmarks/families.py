"""Train every family of posterior, prior and objective under one budget, and write `families.json` and its pages.

    TEXTVAE_DATA=... python -m benchmarks.families --out DIR
    TEXTVAE_DATA=... python -m benchmarks.families --out DIR --rows gaussian mixture --decoders transformer
    python -m benchmarks.families --out DIR --collect

A row is a recipe `pipelines/family_NAME.toml` with one of two decoders; it runs into DIR/families_DECODER_NAME, resumes
there, and is not run again when it is finished. Rows in the file that are not among those run stay as they are.
`--collect` runs nothing and takes what is finished in DIR.

Every training has at most 15 minutes of a core, and ends before when validation stops improving. Rows that start from
the Gaussian one with the same decoder say so in `starts_from`; that is not in their times. The row `unigram` is the
likelihood of the same sentences under the frequencies of words, which every model must beat.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import textvae
from benchmarks import pages, results_file
from benchmarks.family_pages import FAMILIES, UNIGRAM
from benchmarks.recipes import finished_report, row_of
from textvae.evaluation import chosen_sentences
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

STARTS_FROM_GAUSSIAN = {"semi_amortized": "all", "hamiltonian": "all", "stein": "all"}
"""Rows that begin with the weights of the Gaussian row with the same decoder, and with which of them."""


def folder_of(out: Path, decoder: str, row: str) -> Path:
    return out / f"families_{decoder}_{row}"


def train_row(row: str, decoder: str, out: Path) -> None:
    """Run a row's recipe, or go on with it."""
    folder = folder_of(out, decoder, row)
    results_file.note_start(folder)
    overlay = dict(DECODERS[decoder])
    if row == "language_model" and "train.model.decoder" in overlay:
        # It has no z that could enter.
        overlay["train.model.decoder"] = {k: v for k, v in overlay["train.model.decoder"].items() if k != "z_to"}
    if row in STARTS_FROM_GAUSSIAN:
        # Its own, smaller learning rate goes with starting from trained weights.
        overlay.pop("train.optimizer.lr", None)
        start = {"run": str(folder_of(out, decoder, "gaussian")), "parts": STARTS_FROM_GAUSSIAN[row]}
        overlay["train.start_from"] = start
    textvae.run(f"pipelines/family_{row}.toml", settings=overlay, out=folder)


def collect(row: str, decoder: str, out: Path) -> dict[str, Any] | None:
    """The row of a finished run; None when it is not finished."""
    folder = folder_of(out, decoder, row)
    report = finished_report(folder)
    if report is None:
        return None
    found = row_of(report)
    train = report["run"]["settings"]["train"]
    model, sentences = train["model"], report["tokenize"]["train"]["sentences"]
    parts = {part: model[part]["kind"] for part in ("posterior", "prior") if part in model}
    found |= {name: value for name, value in report["evaluate"].items() if name.startswith(("ais_", "simulated_"))}
    found["seconds_per_1000"] = round(1000 * found["train_cpu_seconds"] / (sentences * found["epochs"]), 3)
    if row in STARTS_FROM_GAUSSIAN:
        found["starts_from"] = "gaussian"
    found["recipe"] = found.pop("name")
    kinds = {**parts, "objective": train["objective"]["kind"], "decoder": decoder}
    return {"name": row, **kinds, **found, **results_file.noted_start(folder)}


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


def write(rows: list[str], decoders: list[str], out: Path) -> None:
    """Put the finished ones of these rows into the results file."""
    path = results_file.RESULTS / "families.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    pairs = [(row, decoder) for decoder in decoders for row in rows]
    fresh = [found for row, decoder in pairs if (found := collect(row, decoder, out)) is not None]
    if not fresh:
        return
    finished = next(folder_of(out, d, r) for r, d in pairs if collect(r, d, out) is not None)
    fresh.append(unigram(finished))
    new = {(one["name"], one["decoder"], one["seed"]) for one in fresh}
    kept = [old for old in kept if (old["name"], old["decoder"], old["seed"]) not in new]
    order = {name: place for place, name in enumerate((UNIGRAM, *ROWS))}
    place = {decoder: number for number, decoder in enumerate((UNIGRAM, *DECODERS))}
    results_file.write(
        "families",
        sorted([*kept, *fresh], key=lambda one: (place[one["decoder"]], order[one["name"]], one["seed"])),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--decoders", nargs="+", choices=DECODERS, default=list(DECODERS), metavar="DECODER")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--collect", action="store_true", help="run nothing")
    args = parser.parse_args()
    for decoder in args.decoders:
        for row in args.rows:
            if not args.collect:
                train_row(row, decoder, args.out)
                write([row], [decoder], args.out)
    if args.collect:
        write(args.rows, args.decoders, args.out)
    pages.write_all()


if __name__ == "__main__":
    main()
