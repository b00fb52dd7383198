"""Choosing the labelled sentences of a corpus for training with few labels."""

from __future__ import annotations

import numpy as np

from textvae.errors import ConfigError


def choose_labelled(
    labels: np.ndarray, count: int, classes: int, seed: int, setting: str = "classify.labels"
) -> np.ndarray:
    """Choose the sentences whose labels are used: equally many of each class; the first classes get the remainder.

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
        ConfigError: a class has too few sentences.
    """
    generator = np.random.default_rng([seed, count])
    chosen = []
    for label in range(classes):
        wanted = count // classes + (label < count % classes)
        members = np.flatnonzero(labels == label)
        if len(members) < wanted:
            raise ConfigError(
                f"{setting} = {count} needs {wanted} sentences of each of {classes} classes, "
                f"but class number {label} has {len(members)}; ask for fewer labels."
            )
        chosen.append(np.sort(generator.permutation(members)[:wanted]))
    return np.concatenate(chosen)
