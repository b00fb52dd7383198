"""`textvae score`: how probable each sentence is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import MANY, AsJSON, Run, Seed
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences
from textvae.commands.whole_file import FileOptions


def score_command(
    run: Run,
    sentences: Sentences = None,
    *,
    whole: FileOptions,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples", min=1, max=MANY, help="Samples of z of the importance-weighted bound; none by default."
        ),
    ] = None,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Score sentences, or every row of a file: upper bounds on -log p(x), in nats."""
    if whole.asked(sentences):
        whole.answer(run, "score", samples=samples, seed=seed, as_json=as_json)
        return
    found = score_run(run, read_sentences(sentences), samples=samples, seed=seed)
    print_result(found, as_json, lambda found: [_line(one) for one in found])


def _line(one: dict[str, Any]) -> str:
    if one["elbo_nll"] is None:
        return ""
    bounds = [one["elbo_nll"], *([] if one["iw_nll"] is None else [one["iw_nll"]])]
    return "\t".join([*(f"{bound:.2f}" for bound in bounds), one["text"]])


def score_run(
    run: str | Path, texts: Sequence[str], *, samples: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Bounds on the log-likelihood of each text.

    Args:
        run: a finished run, or a model folder.
        texts: sentences.
        samples: K of the importance-weighted bound; None for the ELBO alone.
        seed: of the samples.

    Returns:
        for each text the fields of `textvae.tasks.score.Score`. They are None for a text that cannot be read, see
        `textvae.commands.lines`.

    Raises:
        TextVAEError: there is no such model, its posterior has no density, or no text can be read.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.score import score

    texts, model = checked_lines(texts), model_of(run)
    lines = readable_lines(texts, model)
    found = [asdict(one) for one in score(model, lines.texts, samples=samples, overlong="truncate", seed=seed)]
    return lines.answers(found, {"tokens": None, "elbo_nll": None, "iw_nll": None})


COMMAND = Command(score_command, example='RUN "he went into the house" --samples 10', answers_each_line=True)
