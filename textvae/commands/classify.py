"""`textvae classify`: predicts the label of each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import AsJSON, Run
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences
from textvae.commands.whole_file import FileOptions

UNSURE = "I don't know"
"""Printed in the place of a label that is less probable than was asked for."""


def classify_command(
    run: Run,
    sentences: Sentences = None,
    *,
    whole: FileOptions,
    confidence: Annotated[
        float,
        typer.Option(
            "--confidence", min=0, max=1, help="The least probability of a label; below it there is none: I don't know."
        ),
    ] = 0.0,
    as_json: AsJSON = False,
) -> None:
    """Predict the label of each sentence, or of every row of a file, by the run's classifier.

    The result is deterministic.
    """
    if whole.asked(sentences):
        whole.answer(run, "classify", confidence=confidence, as_json=as_json)
        return
    found = classify_run(run, read_sentences(sentences), confidence=confidence)
    print_result(found, as_json, lambda found: [_line(one) for one in found])


def _line(one: dict[str, Any]) -> str:
    if one["probability"] is None:
        return ""
    return f"{UNSURE if one['label'] is None else one['label']}\t{one['probability']:.3f}\t{one['text']}"


def classify_run(run: str | Path, texts: Sequence[str], *, confidence: float = 0.0) -> list[dict[str, Any]]:
    """The predicted label of each text, and the probability of every label.

    Args:
        run: a finished run, or the model folder of a classifier.
        texts: sentences.
        confidence: the least probability of a label.

    Returns:
        for each text `text`, its `label` with the `probability`, and the `probabilities` of all labels, likeliest
        first. The label is None where the likeliest one is less probable than `confidence`. Of a text that cannot be
        read the probability is None too; see `textvae.commands.lines`.

    Raises:
        TextVAEError: there is no such model, the run has no classifier, or no text can be read.
    """
    from textvae.pipeline.run_folder import classifier_of
    from textvae.tasks.classify import classify

    texts, model = checked_lines(texts), classifier_of(run)
    lines = readable_lines(texts, model)
    found = [asdict(one) for one in classify(model, lines.texts, confidence=confidence, overlong="truncate")]
    for one in found:
        one["probabilities"] = dict(sorted(one["probabilities"].items(), key=lambda pair: -pair[1]))
    return lines.answers(found, {"label": None, "probability": None, "probabilities": {}})


COMMAND = Command(classify_command, example='RUN "he went into the house"', answers_each_line=True)
