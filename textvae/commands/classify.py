"""`textvae classify`: the label of each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textvae.commands.base import Command
from textvae.commands.options import AsJSON, Run
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences


def classify_command(run: Run, sentences: Sentences = None, as_json: AsJSON = False) -> None:
    """The label of each sentence, by the run's semi-supervised model: nothing about it is random."""
    found = classify_run(run, read_sentences(sentences))
    print_result(
        found,
        as_json,
        lambda found: [f"{one['label']}\t{one['probability']:.3f}\t{one['text']}" for one in found],
    )


def classify_run(run: str | Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The label of each text, and the probability of every label.

    Args:
        run: a finished run, or the model folder of a classifier.
        texts: sentences.

    Returns:
        for each its `text`, its `label` with the `probability`, and the `probabilities` of all, likeliest first.

    Raises:
        TextVAEError: there is no such model, the run has no classifier, or it cannot take one of the texts.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.classify import classify
    from textvae.text.given import checked_texts

    texts = checked_texts(texts)
    # A classifier's own folder will do; of a run, it is the classify stage's.
    model = model_of(run) if (Path(run) / "config.json").exists() else None
    if model is None or not model.config.classifies:
        model = model_of(run, "classify")
    found = [asdict(one) for one in classify(model, texts)]
    for one in found:
        one["probabilities"] = dict(sorted(one["probabilities"].items(), key=lambda pair: -pair[1]))
    return found


COMMAND = Command(classify_command, example='RUN "he went into the house"')
