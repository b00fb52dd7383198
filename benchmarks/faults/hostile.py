"""Runs one hostile input and judges the outcome."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from benchmarks.faults import arguments, corpora, models, tables
from benchmarks.faults.case import Case, Family, Place
from benchmarks.faults.process import SLOW, Process
from benchmarks.faults.trial import Outcome, Trial
from benchmarks.faults.verdict import complaints, last_words, losses, snapshot

REAL_EVERY = 36
"""The last of so many cases of a family starts Python anew; the others are forks of a process that has imported
everything."""


@cache
def families() -> dict[str, dict[str, tuple[int, Family]]]:
    """Kind -> family -> its share, and what makes a case of it."""
    return {
        "recipe": tables.RECIPES,
        "card": tables.CARDS,
        "corpus": corpora.CORPORA,
        "argument": arguments.families(),
        "model_folder": models.MODELS,
    }


def make(trial: Trial, folder: Path, base: Path) -> Case:
    """Write the files of a case and say how the command is called."""
    (folder / "work").mkdir(parents=True)
    bystander = folder / "work" / "letter.txt"
    bystander.write_text("of somebody\n")
    (folder / "beside").mkdir()
    (folder / "beside" / "letter.txt").write_text("of somebody\n")
    rng = random.Random(f"{trial.kind} {trial.name} {trial.seed}")
    return families()[trial.kind][trial.name][1](Place(folder, base, rng))


def hostile(trial: Trial, folder: Path, base: Path) -> Outcome:
    """Do a trial.

    Args:
        trial: which.
        folder: its own, empty.
        base: of the world, whose finished run cases use.
    """
    case = make(trial, folder, base)
    outcome = Outcome(trial, real=trial.seed % REAL_EVERY == REAL_EVERY - 1, commands=[case.arguments])
    before = snapshot(folder)
    process = Process(
        case.arguments, folder, real=outcome.real, stdin=case.stdin, prepare=_no_measuring, name=".command"
    )
    ended = process.finish(SLOW)
    outcome.wrong = complaints(ended, case.codes, as_json="--json" in case.arguments)
    outcome.lost = losses(before, snapshot(folder))
    outcome.said = [last_words(ended)]
    return outcome


def _no_measuring() -> None:
    """`textvae new` measures the machine for some seconds; in forks it takes these figures instead."""
    from textvae.pipeline import trial
    from textvae.pipeline.budget import SIZES
    from textvae.pipeline.proposal import Rates, Trial

    measured = Trial("cpu", 1e6, {size.hidden: Rates(1e4, 2e4, 5e4, 1e4) for size in SIZES})
    trial.measure = lambda *given, **settings: measured
