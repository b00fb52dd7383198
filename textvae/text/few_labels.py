"""Choosing the labelled sentences of a corpus for training with few labels."""

from __future__ import annotations

import numpy as np

from textvae.errors import ConfigError


def choose_labelled(
    labels: np.ndarray, count: int, classes: int, seed: int, setting: str = "classify.labels"
) -> np.ndarray:
    """Choose the sentences whose labels are used: equally many of each class; the first classes get the remainder.

    A class that has fewer gives all of its sentences, and the other classes make up for it.

    The semi-supervised classifier, the probe and the baselines all choose by this function, so that with the same seed
    they learn from the same labels.

    Args:
        labels: class of each sentence, -1 for none, [N].
        count: number of sentences to choose.
        classes: C.
        seed: seed of the draw.
        setting: the setting that asks for `count` labels, for the error message.

    Returns:
        positions of the chosen sentences, int64 [count], class by class.

    >>> chosen = choose_labelled(np.array([0, 0, 0, 1, 1, -1]), 4, 2, seed=0)
    >>> len(chosen), [0, 0, 0, 1, 1, -1][chosen[-1]]
    (4, 1)

    Raises:
        ConfigError: fewer than `count` sentences have a label.
    """
    generator = np.random.default_rng([seed, count])
    members = [np.flatnonzero(labels == label) for label in range(classes)]
    have = sum(map(len, members))
    if have < count:
        raise ConfigError(
            f"{setting} is {count}, but only {have} training sentences have a label; ask for fewer labels."
        )
    wanted = [0] * classes
    while (missing := count - sum(wanted)) > 0:
        able = [label for label in range(classes) if wanted[label] < len(members[label])]
        for place, label in enumerate(able):
            share = missing // len(able) + (place < missing % len(able))
            wanted[label] = min(wanted[label] + share, len(members[label]))
    return np.concatenate(
        [np.sort(generator.permutation(some)[:number]) for some, number in zip(members, wanted, strict=True)]
    )


def hold_out(chosen: np.ndarray, labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Some of the chosen sentences, about as many of each class, to judge what is learned from the others.

    Args:
        chosen: positions, as by `choose_labelled`.
        labels: class of each sentence, [N].
        share: of the chosen ones of each class, rounded; one at least is left.
        seed: of the draw.

    Returns:
        positions in ascending order, int64.

    >>> hold_out(np.arange(10), np.array([0] * 5 + [1] * 5), 0.2, seed=0).shape
    (2,)
    """
    generator = np.random.default_rng([seed, 3])
    taken = [np.zeros(0, dtype=np.int64)]
    for label in np.unique(labels[chosen]):
        members = np.sort(chosen[labels[chosen] == label])
        count = min(round(share * len(members)), len(members) - 1)
        taken.append(generator.permutation(members)[:count])
    return np.sort(np.concatenate(taken))


def stratified_folds(labels: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The folds of a cross-validation, each with about the same share of every class.

    Args:
        labels: class of each sentence, [N].
        folds: how many at most; there are no more than the rarest class has sentences.
        seed: of the draw.

    Returns:
        for each fold the positions that are learned from, and the others; empty where a class has a single sentence.

    >>> [len(others) for _, others in stratified_folds(np.array([0, 0, 0, 1, 1]), 5, seed=0)]
    [3, 2]
    >>> stratified_folds(np.array([0, 0, 1]), 5, seed=0)
    []
    """
    from sklearn.model_selection import StratifiedKFold

    count = min(folds, int(np.unique(labels, return_counts=True)[1].min()))
    if count < 2:
        return []
    splits = StratifiedKFold(count, shuffle=True, random_state=seed % 2**32)
    return list(splits.split(labels, labels))
