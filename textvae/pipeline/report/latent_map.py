"""The map of the latent space: a point for each sentence, which the page shows on a click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

COLORS = 10
"""Labels with a color of their own; the page's style has as many."""
_WIDTH, _HEIGHT, _MARGIN, _RADIUS = 640.0, 440.0, 12.0, 3.5


def latent_map(plane: Mapping[str, Any]) -> dict[str, Any]:
    """What the page draws of posterior means in the plane of two principal components.

    Args:
        plane: from `textvae.evaluation.plane.latent_plane`.

    Returns:
        `width` and `height`; `points` with `x`, `y`, `color` (None for gray), `text` and `label` (None where there is
        none); `legend`, pairs of a color and a name, the colored labels first.

    >>> made = latent_map({"points": [[0, 0], [2, 0]], "labels": ["a", None], "texts": ["one", "two"]})
    >>> [(point["x"], point["y"], point["color"]) for point in made["points"]], made["legend"]
    ([(12.0, 220.0, 0), (628.0, 220.0, None)], [(0, 'a'), (None, 'no label')])
    """
    points = plane["points"]
    labels = plane.get("labels") or [None] * len(points)
    texts = plane.get("texts") or [None] * len(points)
    counts = Counter(str(label) for label in labels if label is not None)
    # The most frequent ones: more labels than colors could not be told apart.
    names = sorted(sorted(counts, key=lambda name: (-counts[name], name))[:COLORS])
    colors = {name: number for number, name in enumerate(names)}
    legend: list[tuple[int | None, str]] = [(number, name) for name, number in colors.items()]
    if len(counts) > len(names):
        legend.append((None, f"{len(counts) - len(names)} other labels"))
    elif counts and None in labels:
        legend.append((None, "no label"))
    xs, ys = [float(x) for x, _ in points], [float(y) for _, y in points]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    # One scale for both axes, so that distances are true.
    room = min(
        (_WIDTH - 2 * _MARGIN) / max(max(xs) - min(xs), 1e-9), (_HEIGHT - 2 * _MARGIN) / max(max(ys) - min(ys), 1e-9)
    )
    drawn = [
        {
            "x": round(_WIDTH / 2 + room * (x - middle_x), 1),
            "y": round(_HEIGHT / 2 - room * (y - middle_y), 1),
            "color": None if label is None else colors.get(str(label)),
            "text": text,
            "label": label,
        }
        for x, y, label, text in zip(xs, ys, labels, texts, strict=True)
    ]
    return {"width": _WIDTH, "height": _HEIGHT, "radius": _RADIUS, "points": drawn, "legend": legend}
