"""How the texts of a classifier are divided: no label is lost, and few texts are kept from the VAE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from textvae.pipeline.fitting import GivenTexts
from textvae.pipeline.proposal import SMALL_CORPUS
from textvae.text.corpora.base import Split
from textvae.text.normalize import normalize
from textvae.types import NO_LABEL

_SHARE, _SHARE_OF_FEW = 0.05, 0.1
"""The share of the different texts that are for validation, also where texts are few."""
_SEED = 0
"""One for all fits, so that the texts in a folder are the same whatever the seed of the fit."""


def divided(texts: Sequence[str], code_N: np.ndarray, names: Sequence[str]) -> GivenTexts:
    """The texts with their labels and splits.

    A twentieth of the different texts is for validation, a tenth below 1,000 texts. They are texts without a label, as
    far as there are so many. Of those with a label the last one of a class is never among them; the classifier learns
    their labels too (``classify.with_validation``). Equal texts are together.

    The test split, which every corpus has, is one text without its label: nothing is measured on it.

    Args:
        texts: N of them.
        code_N: the class of each text, -1 for none, int64 [N].
        names: of the classes.

    Returns:
        those with a label first, so that a look at the beginning sees all of them.

    >>> given = divided([f"text {i}" for i in range(30)], np.array([0, 1] + 28 * [-1]), ["bad", "good"])
    >>> given.labels[:4], given.splits[:3], given.splits.count("valid")
    ((None, 'bad', 'good', None), ('test', 'train', 'train'), 3)
    """
    group_of: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        group_of.setdefault(normalize(text), []).append(row)
    group_of.pop("", None)
    groups = list(group_of.values())
    classes = [{int(code_N[row]) for row in group} - {NO_LABEL} for group in groups]
    wanted = max(1, round((_SHARE_OF_FEW if len(groups) < SMALL_CORPUS else _SHARE) * len(groups)))
    left = Counter(label for found in classes for label in found)
    order = np.random.default_rng(_SEED).permutation(len(groups)).tolist()
    chosen: list[int] = []
    for place in sorted(order, key=lambda place: bool(classes[place])):  # stable: those without a label come first
        if len(chosen) == wanted:
            break
        if all(left[label] > 1 for label in classes[place]):
            chosen.append(place)
            left.subtract(classes[place])
    valid = {row for place in chosen for row in groups[place]}
    rows = sorted(range(len(texts)), key=lambda row: bool(code_N[row] == NO_LABEL))
    first: Sequence[int] = groups[0][:1] if groups else ()
    # Where no text can be spared, validation has one that training has too.
    spare: list[tuple[int, Split]] = [(row, "test") for row in first]
    spare += [(row, "valid") for row in first if not valid]
    splits: list[Split] = [*(split for _, split in spare), *("valid" if row in valid else "train" for row in rows)]
    labels = [None if code_N[row] == NO_LABEL else names[code_N[row]] for row in rows]
    return GivenTexts(
        texts=tuple(texts[row] for row in [*(row for row, _ in spare), *rows]),
        labels=(*(None for _ in spare), *labels),
        splits=tuple(splits),
        every_label=True,
    )
