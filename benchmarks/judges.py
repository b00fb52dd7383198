"""Train the judge of a corpus, the language model and the classifier by which fluency and labels are measured.

    TEXTVAE_DATA=... python -m benchmarks.judges --corpus yelp_short --out DIR

CORPUS is the name of a card, or its file. The run folder is DIR/judge_CORPUS; an interrupted run resumes there, and a
finished one is not repeated. The perplexity on the test split is printed, and where the corpus has labels the accuracy
of the classifier. Other benchmarks call `judge_of` and `label_judge_of`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import textvae
from benchmarks import results_file
from textvae.evaluation import Judge, LabelJudge, judge_recipe
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.run_folder import open_model, split_file
from textvae.text.tokenized import TokenizedCorpus

SEED = 101
"""No compared model has it."""

TOKENIZED = ("mr", "ptb", "subj", "yelp_short")
"""Corpora whose texts are tokenized already."""


def recipe_of(corpus: str | Path) -> dict[str, Any]:
    """The recipe of a corpus' judge.

    Args:
        corpus: the name of a card, or its file.
    """
    split = "whitespace" if Path(corpus).stem in TOKENIZED else "words"
    return judge_recipe(corpus, SEED, split=split)


def folder_of(corpus: str | Path, out: Path) -> Path:
    """The run folder of a corpus' judge, in the folder of the runs."""
    return out / recipe_of(corpus)["name"]


def trained(corpus: str | Path, out: Path, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Bring the judge of a corpus up to date; the report of its run.

    Args:
        corpus: the name of a card, or its file.
        out: the folder of the runs.
        settings: laid over the recipe, for a smaller judge.
    """
    recipe, folder = recipe_of(corpus), folder_of(corpus, out)
    results_file.note_start(folder, read_recipe(recipe, settings or {}).as_tables())
    return textvae.run(recipe, out=folder, settings=settings)


def judge_of(corpus: str | Path, out: Path, settings: Mapping[str, Any] | None = None) -> Judge:
    """The independent language model of a corpus, trained first where it is not (`trained`)."""
    trained(corpus, out, settings)
    return Judge(open_model(folder_of(corpus, out) / "train" / "model").eval())


def label_judge_of(corpus: str | Path, out: Path, settings: Mapping[str, Any] | None = None) -> LabelJudge:
    """The independent classifier of a corpus with labels, on the splits of its judge (`trained`)."""
    trained(corpus, out, settings)
    return _label_judge(folder_of(corpus, out))


def _label_judge(folder: Path) -> LabelJudge:
    train, test = (TokenizedCorpus(split_file(folder / "tokenize", split)) for split in ("train", "test"))
    return LabelJudge(train, test)


def told(corpus: str | Path, out: Path, settings: Mapping[str, Any] | None = None) -> list[str]:
    """What is printed of a corpus' judges: how good they are themselves."""
    report = trained(corpus, out, settings)
    found, name = report["evaluate"], Path(corpus).stem
    lines = [
        f"judge of {name}: perplexity {found['ppl']:.2f} over {found['tokens']:,} tokens of {found['sentences']:,} "
        f"sentences of the {found['split']} split, {found['iw_nll']:.2f} nats per sentence, seed {SEED}"
    ]
    if TokenizedCorpus(folder_of(corpus, out) / "tokenize" / "train.arrow").label_names:
        labels = _label_judge(folder_of(corpus, out))
        lines.append(
            f"classifier of {name}: accuracy {labels.accuracy:.4f} ± {labels.accuracy_se:.4f} over "
            f"{labels.sentences:,} sentences of the {found['split']} split"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="the name of a card, or its file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    args = parser.parse_args()
    for line in told(args.corpus, args.out):
        print(line)


if __name__ == "__main__":
    main()
