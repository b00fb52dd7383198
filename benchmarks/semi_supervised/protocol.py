"""Corpora, numbers of labels and draws of the comparison, and what a method gets and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textvae.text.corpora import load_card
from textvae.text.few_labels import choose_labelled

COUNTS = {
    "yelp_short": (20, 100, 500),
    "mr": (200, 1000),
    "subj": (200, 1000),
    "trec": (60, 300),
    "imdb": (250,),
}
"""Labels that are looked at, for each corpus."""
UNLABELLED = {"imdb": 15_000}
"""Training texts that are learned from without their labels, where they are not all others; drawn once."""
SEED = 0


class Cell(NamedTuple):
    """One classifier to be trained and measured.

    Attributes:
        corpus: its name.
        labels: that are looked at, all of them.
        draw: seed of `choose_labelled`, and of everything else that a method draws.
    """

    corpus: str
    labels: int
    draw: int


def cells(corpus: str) -> list[Cell]:
    """All cells of a corpus: ten draws at its smallest number of labels, five at others; three of imdb."""
    return [
        Cell(corpus, labels, draw)
        for labels in COUNTS[corpus]
        for draw in range(3 if corpus == "imdb" else 10 if labels == COUNTS[corpus][0] else 5)
    ]


@dataclass(frozen=True)
class Texts:
    """A corpus with labels.

    Attributes:
        name: of the corpus.
        texts: the training texts, [N].
        labels: their classes, int64 [N]. A method looks at those of its cell alone.
        test_texts: [M].
        test_labels: int64 [M].
        names: of the C classes.
    """

    name: str
    texts: list[str]
    labels: np.ndarray
    test_texts: list[str]
    test_labels: np.ndarray
    names: list[str]

    def chosen(self, cell: Cell) -> np.ndarray:
        """The training texts whose label is looked at, equally many of each class."""
        return choose_labelled(self.labels, cell.labels, len(self.names), cell.draw)

    def unlabelled(self, chosen: np.ndarray) -> np.ndarray:
        """The training texts that are learned from without their labels."""
        left = np.setdiff1d(np.arange(len(self.texts)), chosen)
        most = UNLABELLED.get(self.name)
        if most is None:
            return left
        ours = np.random.default_rng(SEED).permutation(len(self.texts))[: most + len(chosen)]
        return np.intersect1d(left, ours)[:most]


class Answer(NamedTuple):
    """What a method says of the test texts.

    Attributes:
        label_M: the likeliest labels.
        probability_MC: of all labels; None from a method that states none.
        unlabeled: texts that it learned from without their labels.
        truncated: whether it read the texts cut.
    """

    label_M: np.ndarray
    probability_MC: np.ndarray | None
    unlabeled: int
    truncated: bool = False


Method = Callable[[Texts, Cell, Path], Answer]
"""A corpus, a cell and a folder for what cells share; the answers for the test texts."""


def read(corpus: str) -> Texts:
    """The splits `train` and `test` of a corpus, as its card has them; the validation split is not looked at."""
    card = load_card(corpus)
    names = card.label_names()
    places = {name: place for place, name in enumerate(names)}
    found = {}
    for split in ("train", "test"):
        examples = [example for example in card.read(split) if example.label is not None]
        found[split] = (
            [example.text for example in examples],
            np.array([places[str(example.label)] for example in examples], dtype=np.int64),
        )
    return Texts(corpus, *found["train"], *found["test"], names)
