"""`textvae classify`: predicts the label of each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textvae.commands.base import Command
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import AsJSON, Run
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences


def classify_command(run: Run, sentences: Sentences = None, as_json: AsJSON = False) -> None:
    """Predict the label of each sentence, by the run's semi-supervised model. The result is deterministic."""
    found = classify_run(run, read_sentences(sentences))
    print_result(
        found,
        as_json,
        lambda found: ["" if one["label"] is None else _line(one) for one in found],
    )


def _line(one: dict[str, Any]) -> str:
    return f"{one['label']}\t{one['probability']:.3f}\t{one['text']}"


def classify_run(run: str | Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The predicted label of each text, and the probability of every label.

    Args:
        run: a finished run, or the model folder of a classifier.
        texts: sentences.

    Returns:
        for each text `text`, its `label` with the `probability`, and the `probabilities` of all labels, likeliest
        first. The label of a text that cannot be read is None; see `textvae.commands.lines`.

    Raises:
        TextVAEError: there is no such model, the run has no classifier, or no text can be read.
    """
    from textvae.pipeline.run_folder import classifier_of
    from textvae.tasks.classify import classify

    texts, model = checked_lines(texts), classifier_of(run)
    lines = readable_lines(texts, model)
    found = [asdict(one) for one in classify(model, lines.texts, overlong="truncate")]
    for one in found:
        one["probabilities"] = dict(sorted(one["probabilities"].items(), key=lambda pair: -pair[1]))
    return lines.answers(found, {"label": None, "probability": None, "probabilities": {}})


COMMAND = Command(classify_command, example='RUN "he went into the house"', answers_each_line=True)
