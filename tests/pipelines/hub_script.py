"""Pushes models to the hub that HF_ENDPOINT names and loads them from there; prints as JSON what came of each step.

A process of its own: huggingface_hub reads its environment when it is imported.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from textvae.errors import TextVAEError
from textvae.models import LanguageModel, SemiSupervisedTextVAE, TextModel, TextVAE, load_classifier, load_model

OURS, PRIVATE, CLASSIFIER = "owner/verses", "owner/secret", "owner/classifier"


def told(step: Callable[[], Any]) -> dict[str, Any]:
    """What a step returned, or its error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome: dict[str, Any] = {"value": step()}
        except TextVAEError as error:
            outcome = {"error": type(error).__name__, "said": str(error)}
    return {**outcome, "warned": [str(one.message) for one in caught]}


def known_by(model: TextModel) -> dict[str, Any]:
    """What two equal models have in common: their kind, weights, facts and sentences."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    made = model.generate(4, decoding="sample", seed=3)
    return {
        "kind": model.config.kind,
        "weights": digest.hexdigest(),
        "card": dict(model.card),
        "made": [(one.text, one.log_prob) for one in made],
    }


def push(run: Path) -> dict[str, dict[str, Any]]:
    """The steps of an owner, whose token is in HF_TOKEN."""
    model, classifier = TextVAE.from_pretrained(run), SemiSupervisedTextVAE.from_pretrained(run)
    changed = TextVAE.from_pretrained(run)
    with torch.no_grad():
        next(changed.parameters()).add_(1.0)
    return {
        "known": told(lambda: known_by(model)),
        "classifier known": told(lambda: known_by(classifier)),
        "changed known": told(lambda: known_by(changed)),
        "push": told(lambda: model.push_to_hub(OURS, commit_message="Verses")),
        "push again": told(lambda: model.push_to_hub(OURS)),
        "push the classifier": told(lambda: classifier.push_to_hub(CLASSIFIER)),
        "push in private": told(lambda: model.push_to_hub(PRIVATE, private=True)),
        "push in private over a public one": told(lambda: changed.push_to_hub(OURS, private=True)),
        "push over changes": told(lambda: changed.push_to_hub("owner/edited")),
        "push without a name": told(lambda: model.push_to_hub("verses")),
        "push under a bad name": told(lambda: model.push_to_hub("owner/no such--name")),
        "push as a reader": told(lambda: model.push_to_hub(OURS, token="hf_reader")),
        "push a new one as a reader": told(lambda: model.push_to_hub("owner/new", token="hf_reader")),
        "push as nobody": told(lambda: model.push_to_hub(OURS, token="hf_nobody")),
        "private": told(lambda: known_by(load_model(PRIVATE))),
    }


def load(first: str) -> dict[str, dict[str, Any]]:
    """The steps of somebody without a token and with an empty cache.

    Args:
        first: the first commit of `owner/edited` with a model.
    """
    return {
        "load": told(lambda: known_by(TextVAE.from_pretrained(OURS))),
        "load any": told(lambda: known_by(load_model(OURS))),
        "load the classifier": told(lambda: known_by(SemiSupervisedTextVAE.from_pretrained(CLASSIFIER))),
        "load any classifier": told(lambda: known_by(load_classifier(CLASSIFIER))),
        "load a commit": told(lambda: known_by(load_model("owner/edited", revision=first))),
        "load its last": told(lambda: known_by(load_model("owner/edited"))),
        "no revision": told(lambda: load_model(OURS, revision="none")),
        "another kind": told(lambda: LanguageModel.from_pretrained(OURS)),
        "no classifier": told(lambda: load_classifier(OURS)),
        "none": told(lambda: load_model("owner/nothing")),
        "private": told(lambda: load_model(PRIVATE)),
        "gated": told(lambda: load_model("owner/gated")),
        "broken": told(lambda: load_model("owner/broken")),
        "another library's": told(lambda: load_model("owner/foreign")),
        "without a config": told(lambda: load_model("owner/empty")),
        "bad name": told(lambda: load_model("owner/no such--name")),
    }


def again() -> dict[str, dict[str, Any]]:
    """The steps of the same, when there is no hub any more."""
    return {
        "load": told(lambda: known_by(load_model(OURS))),
        "none": told(lambda: load_model("owner/nothing")),
        "push": told(lambda: load_model(OURS).push_to_hub(OURS)),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "push":
        print(json.dumps(push(Path(sys.argv[2]))))
    elif sys.argv[1] == "load":
        print(json.dumps(load(sys.argv[2])))
    else:
        print(json.dumps(again()))
