"""Posterior means in the plane of their two principal components, for the report's picture of the latent space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

PLOTTED = 2000
"""Most points in the picture."""


def latent_plane(
    means_ND: np.ndarray,
    labels_N: np.ndarray | None,
    label_names: Sequence[str],
    seed: int,
    texts: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Posterior means in the plane of their two principal components, at most `PLOTTED` of them.

    Args:
        means_ND: posterior means, [N, D].
        labels_N: class of each, -1 for none; None for no labels at all.
        label_names: of the classes.
        seed: of the choice.
        texts: of the sentences; None to leave them out.

    Returns:
        `points` [N][2], `labels` (names, or absent), `texts` (or absent), `explained`: shares of the variance along the
        axes, `dimensions`.
    """
    points, explained = principal_plane(np.asarray(means_ND, dtype=np.float64))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:PLOTTED])
    plane: dict[str, Any] = {"points": np.round(points[chosen], 4).tolist(), "explained": explained}
    plane["dimensions"] = int(means_ND.shape[1])
    if texts is not None:
        plane["texts"] = [texts[i] for i in chosen]
    if labels_N is not None:
        plane["labels"] = [label_names[i] if i >= 0 else None for i in np.asarray(labels_N)[chosen]]
    return plane


def principal_plane(x_ND: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The first two principal components of N vectors, and the share of the variance along each.

    >>> points, explained = principal_plane(np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0], [4.0, 0.0, 1.0]]))
    >>> np.abs(points[:, 0]).round(6).tolist(), explained
    ([2.0, 0.0, 2.0], [1.0, 0.0])
    """
    centered = x_ND - x_ND.mean(0)
    left, scale, right = np.linalg.svd(centered, full_matrices=False)
    variance = scale**2
    total = max(float(variance.sum()), 1e-12)
    plane = np.zeros((len(x_ND), 2))
    shares = [0.0, 0.0]
    for axis in range(min(2, len(scale))):
        # The sign of a principal axis is arbitrary. Making its largest coordinate positive fixes it.
        sign = np.sign(right[axis][np.abs(right[axis]).argmax()]) or 1.0
        plane[:, axis] = left[:, axis] * scale[axis] * sign
        shares[axis] = round(float(variance[axis]) / total, 4)
    return plane, shares
