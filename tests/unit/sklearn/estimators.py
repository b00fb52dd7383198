"""Both estimators, small enough to be fitted in a second or two, and texts for them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from textvae.sklearn import LatentFeatures, TextVAEClassifier

SMALL = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 16}
SETTINGS: dict[str, Any] = {
    "train.epochs": 2,
    "train.max_steps": None,
    "train.batch_tokens": 512,
    "train.optimizer.lr": 1e-2,
    "train.guard_sentences": 0,
    "train.model.encoder": {**SMALL, "pooling": "max"},
    "train.model.decoder": SMALL,
}
"""A training of a second."""
CLASSIFY: dict[str, Any] = {
    **SETTINGS,
    "train.model.latent_dim": 4,
    "classify.steps": 40,
    "classify.words.rounds": 2,
    "classify.words.topics": [8],
    "classify.train_encoder": False,
}
"""A training of a second, and a classifier's of another."""
TOPICS = {
    "sea": (["sailor", "captain", "fisher"], ["sailed", "mended", "pulled"], ["boat", "net", "anchor"]),
    "farm": (["farmer", "shepherd", "miller"], ["counted", "bought", "sold"], ["field", "sheep", "corn"]),
    "inn": (["cook", "waiter", "baker"], ["cooked", "served", "ate"], ["soup", "bread", "cake"]),
}


def topics(count: int) -> tuple[list[str], list[str]]:
    """Sentences whose words are all of one topic, so that a small VAE needs z for them; labelled indoors or not."""
    rng = random.Random(0)
    chosen = [rng.choice(list(TOPICS)) for _ in range(count)]
    texts = ["the {} {} the {} and the {} {} the {} .".format(*map(rng.choice, TOPICS[one] * 2)) for one in chosen]
    return texts, ["in" if one == "inn" else "out" for one in chosen]


TEXTS, LABELS = topics(120)
CODED = [-1 if row % 3 else int(label == "in") for row, label in enumerate(LABELS)]
"""A label of every third text; -1 for none."""


def features(**parameters: Any) -> LatentFeatures:
    return LatentFeatures(**{"minutes": 1.0, "latent_dim": 4, "settings": SETTINGS, **parameters})


def classifier(**parameters: Any) -> TextVAEClassifier:
    return TextVAEClassifier(**{"minutes": 1.0, "settings": CLASSIFY, **parameters})


@dataclass(frozen=True)
class Case:
    """An estimator for the theorems that hold for both.

    Attributes:
        kind: its class.
        make: one with settings of a small training, and other parameters.
        answer: the name of its method that gives rows of numbers.
        settings: those of the small training.
        stage: its last stage.
    """

    kind: type[LatentFeatures] | type[TextVAEClassifier]
    make: Callable[..., Any]
    answer: str
    settings: dict[str, Any]
    stage: str

    def fit(self, texts: Any = TEXTS, **parameters: Any) -> Any:
        """A fitted one; of other texts than `TEXTS` the first third has labels."""
        labels = CODED if len(texts) == len(CODED) else (CODED * len(texts))[: len(texts)]
        return self.make(**parameters).fit(texts, labels)

    def rows(self, fitted: Any, texts: Any) -> np.ndarray:
        """What it says of texts, [N, D] or [N, C]."""
        found = getattr(fitted, self.answer)(texts)
        assert isinstance(found, np.ndarray)
        return found


CASES = {
    "features": Case(LatentFeatures, features, "transform", SETTINGS, "train"),
    "classifier": Case(TextVAEClassifier, classifier, "predict_proba", CLASSIFY, "classify"),
}
