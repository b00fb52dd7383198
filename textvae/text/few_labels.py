"""Which sentences of a corpus show their label, where only few may."""

from __future__ import annotations

import numpy as np

from textvae.errors import ConfigError


def choose_labelled(
    labels: np.ndarray, count: int, classes: int, seed: int, setting: str = "classify.labels"
) -> np.ndarray:
    """Which sentences show their label: equally many of each class (the first classes get what is left over).

    Everything that learns from few labels draws them here, so that with the same seed a classifier, a probe and a
    baseline see the same sentences.

    Args:
        labels: class of each sentence, -1 for none, [N].
        count: how many to choose.
        classes: C.
        seed: of the draw.
        setting: what asks for so many, for the error message.

    Returns:
        places of the chosen, int64 [count], class by class.

    >>> chosen = choose_labelled(np.array([0, 0, 0, 1, 1, -1]), 4, 2, seed=0)
    >>> len(chosen), [0, 0, 0, 1, 1, -1][chosen[-1]]
    (4, 1)

    Raises:
        ConfigError: a class has too few.
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
