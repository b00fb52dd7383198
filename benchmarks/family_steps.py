"""The cost of a training step of each family, relative to that of the recipe `gaussian`.

    TEXTVAE_DATA=... python -m benchmarks.family_steps [--rounds 3] [--steps 8] [--decoders lstm]

In each round every recipe `pipelines/family_NAME.toml` trains a few steps from fresh weights, one recipe after another
and all on the same sentences. The cost of a recipe is its time per token divided by that of the recipe `gaussian` in
the same round. A row has the median over rounds, the smallest and the largest value. The work at the end of an epoch
(validation, checkpoints, encoding all stored codes again) is not included. Run it on a machine without other jobs,
because they would distort the timings.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import textvae
from benchmarks import pages, results_file
from benchmarks.families import DECODERS, ROWS, overlay_of
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.manifest import read_manifest
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.stages import STAGES
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers import load_tokenizer
from textvae.training import TrainConfig, train


def config_of(row: str, decoder: str, steps: int) -> TrainConfig:
    """The recipe's training, of a few steps and with hardly any validation, from fresh weights."""
    recipe = read_recipe(f"pipelines/family_{row}.toml", overlay_of(row, decoder, Path()))
    config: TrainConfig = checked_settings(recipe, STAGES)["train"]
    short = {"max_steps": steps, "valid_sentences": 50, "guard_sentences": 0, "start_from": None}
    return config.model_copy(update=short)


def seconds_per_token(config: TrainConfig, tokenized: Path, seed: int) -> float:
    """Of the steps alone."""
    manifest = read_manifest(tokenized)
    assert manifest is not None
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            config,
            TokenizedCorpus(tokenized / "train.arrow"),
            TokenizedCorpus(tokenized / "valid.arrow"),
            Path(folder),
            seed=seed,
            tokenizer=load_tokenizer(tokenized / "tokenizer"),
            label_names=manifest.results["label_names"],
            max_tokens=manifest.config["max_tokens"],
            progress=False,
        )
    return result.train_seconds / result.train_tokens


def rows_of(decoder: str, tokenized: Path, rounds: int, steps: int, seed: int) -> list[dict[str, Any]]:
    """All families with one decoder."""
    configs = {row: config_of(row, decoder, steps) for row in ROWS}
    found: dict[str, list[float]] = {row: [] for row in ROWS}
    for number in range(rounds):
        for row, config in configs.items():
            found[row].append(seconds_per_token(config, tokenized, seed + number))
    rows = []
    for row, spent in found.items():
        ratios = [mine / gaussian for mine, gaussian in zip(spent, found["gaussian"], strict=True)]
        rows.append(
            {
                "name": row,
                "seed": seed,
                "decoder": decoder,
                "times_gaussian": round(statistics.median(ratios), 2),
                "least": round(min(ratios), 2),
                "most": round(max(ratios), 2),
                "tokens_per_second": round(1 / statistics.median(spent)),
                "rounds": rounds,
                "steps": steps,
            }
        )
        print(f"{decoder:12} {row:24} {rows[-1]['times_gaussian']:6.2f} times the Gaussian", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--decoders", nargs="+", choices=DECODERS, default=list(DECODERS), metavar="DECODER")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        textvae.run("pipelines/family_gaussian.toml", out=folder, only="tokenize")
        for decoder in args.decoders:
            results_file.add(
                "family_steps",
                rows_of(decoder, Path(folder) / "tokenize", args.rounds, args.steps, args.seed),
                lambda one: (list(DECODERS).index(one["decoder"]), ROWS.index(one["name"]), one["seed"]),
                f"python -m benchmarks.family_steps --rounds {args.rounds} --steps {args.steps}",
            )
    pages.write_all()


if __name__ == "__main__":
    main()
