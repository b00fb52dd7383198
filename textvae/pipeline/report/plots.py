"""The report's pictures, as SVG elements for the page; none where matplotlib is missing.

Stages choose what to draw (`Stage.pictures`). A stage with a picture of its own draws on a `new_figure` within
`styled()`, and returns it through `as_svg`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from textvae.pipeline.shown import shorten
from textvae.printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GRAY = "#2563a8", "#d9822b", "#3b8f5a", "#8a8f98"
PALETTE = (BLUE, ORANGE, GREEN, "#b0413e", "#7a5ea8", "#4aa3a8", "#c0a030", "#d477a8", "#5b6b7b", "#96673b")
_LONGEST_NAME = 30
_STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "textvae",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a8",
    "axes.labelcolor": "#3a4048",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.8,
    "xtick.color": "#5a6068",
    "ytick.color": "#5a6068",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def available() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def styled(grid: bool = True) -> AbstractContextManager[None]:
    """The context in which every picture of the report is drawn: fonts, colors and, by default, a grid."""
    import matplotlib

    style: Any = {**_STYLE, "axes.grid": grid}
    return matplotlib.rc_context(style)


def new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Any]]:
    """An empty figure and its panels, side by side; sizes in inches."""
    # Without pyplot, which has global state and may look for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def as_svg(figure: Figure) -> str:
    """A figure as an SVG element; the same figure always gives the same text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def drawable(name: str) -> str:
    """A name from a corpus, escaped for matplotlib, which reads dollar signs as formulas and leaves labels that begin
    with `_` out of legends."""
    shown = shorten(printable(name), _LONGEST_NAME).replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown


_INSTEAD_OF_THE_BOUND = (("valid_nll", "validation NLL given z"), ("valid_loss", "validation loss"))
"""The criterion by which the best epoch is chosen, where it is not a bound."""


def training_curves(rows: Sequence[dict[str, Any]], kept_by: Sequence[str] = ()) -> str:
    """Curves by step: loss, NLL and the criterion of the best epoch; raw KL and its penalty; the KL weight.

    Where q(z|x) has no density there is no KL. The second panel then has -log p(z) of the codes, and the third is
    left out.

    Args:
        rows: lines of `metrics.jsonl`.
        kept_by: names of validation numbers that the training's result has.
    """
    instead = [(name, label) for name, label in _INSTEAD_OF_THE_BOUND if name in kept_by]
    bounds = instead or [("valid_elbo_nll", "validation bound"), ("valid_proxy_elbo_nll", "validation bound of proxy")]
    with styled():
        implicit = any("prior_nll" in row for row in rows)
        figure, panels = new_figure(7.0, 3.1, 2) if implicit else new_figure(10.5, 3.1, 3)
        left, middle, right = panels[0], panels[1], panels[-1]
        series = [
            (left, "loss", "loss", GRAY, "-"),
            (left, "nll", "NLL given z", BLUE, "-"),
            (middle, "prior_nll", "-log p(z)", ORANGE, "-"),
            (middle, "kl_penalty", "penalty in the loss", GRAY, "--"),
            (middle, "kl", "raw KL", ORANGE, "-"),
            (middle, "extended_rate", "with momenta", ORANGE, "-"),
            (right, "kl_weight", "weight", GREEN, "-"),
        ]
        for axes, name, label, color, style in series:
            points = [(row["step"], row[name]) for row in rows if name in row and "step" in row]
            means = _by_epoch(rows, name) if axes is left else []
            if means:
                axes.plot(*zip(*points, strict=True), color=color, linewidth=0.7, alpha=0.45)
            if points:
                axes.plot(*zip(*(means or points), strict=True), style, color=color, label=label)
        for name, label in bounds:
            bound = [(row["step"], row[name]) for row in rows if name in row and "step" in row]
            if bound:
                left.plot(*zip(*bound, strict=True), "o", color="#b0413e", markersize=4.5, label=label)
        left.set(title="Nats per sentence", xlabel="step")
        if implicit:
            middle.set(title="Codes under the prior, nats", xlabel="step")
        else:
            middle.set(title="KL, nats per sentence", xlabel="step")
            right.set(title="Weight of the KL", xlabel="step")
            right.set_ylim(bottom=-0.03)
        for axes in (left, middle):
            if axes.get_legend_handles_labels()[0]:
                axes.ticklabel_format(axis="y", useOffset=False)
                from_zero = axes is middle and not implicit
                if from_zero:
                    # Without 0 in view, a KL that is constant by design would be drawn as its rounding errors.
                    axes.update_datalim([(0.0, 0.0)], updatex=False)
                    axes.autoscale_view()
                _scale(axes, *([0.0] if from_zero else []))
                axes.legend(fontsize=8.5)
        return as_svg(figure)


def compared_curves(title: str, of: Sequence[Sequence[Sequence[float]] | None], names: Sequence[str]) -> str:
    """The curves of several runs over one another.

    Args:
        title: what they show.
        of: the points (x, y) of each run; None for a run that has no such curve.
        names: of the runs, for the legend.
    """
    with styled():
        figure, (axes,) = new_figure(7.0, 3.2)
        for number, (points, name) in enumerate(zip(of, names, strict=True)):
            if points:
                color = PALETTE[number % len(PALETTE)]
                axes.plot(*zip(*points, strict=True), "o-", markersize=3, color=color, label=drawable(name))
        axes.set(title=title)
        axes.legend(fontsize=8.5)
        return as_svg(figure)


def _by_epoch(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """The mean of each epoch at its last step; nothing where there are few points, or few epochs.

    The sentences of a batch mostly have similar lengths, so a mean over a few batches reflects mainly the lengths.
    """
    epochs: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if name in row and "epoch" in row:
            epochs.setdefault(row["epoch"], []).append(row)
    # The last epoch may have been cut short.
    if len(epochs) < 4 or min(len(found) for found in list(epochs.values())[:-1]) < 2:
        return []
    return [(found[-1]["step"], sum(row[name] for row in found) / len(found)) for found in epochs.values()]


def _scale(axes: Any, *seen: float) -> None:
    """A logarithmic y-axis where the first half of the steps would leave the rest a third of the height.

    The whole curve is drawn, its beginning too. Where values reach zero, the axis is linear below 1. The values `seen`
    are always inside the limits.
    """
    points = [point for line in axes.lines for point in zip(*line.get_data(), strict=True)]
    first, last = min(step for step, _ in points), max(step for step, _ in points)
    halfway = first + 0.5 * (last - first)
    values, later = [value for _, value in points], [value for step, value in points if step >= halfway]
    low, high = min((*values, *seen)), max((*later, *seen))
    if not max(values) - low > 3.0 * (high - low) > 0.0:
        return
    from matplotlib.ticker import ScalarFormatter

    if low > 0:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=1.0)
    for axis_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_scientific(False)
        axis_formatter(formatter)
    corner: Any = {"transform": axes.transAxes, "ha": "right", "va": "top"}
    axes.text(0.98, 0.98, "logarithmic", fontsize=8.5, color=GRAY, **corner)


def confusion_matrix(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """The confusion matrix: rows are true labels, columns predicted labels; shades are shares of a row."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("", ["#ffffff", BLUE])
    with styled(grid=False):
        size = max(3.4, 0.75 * len(names) + 1.6)
        figure, (axes,) = new_figure(size + 0.6, size * 0.86)
        shares = [[count / max(sum(row), 1) for count in row] for row in counts]
        axes.imshow(shares, cmap=shades, vmin=0, vmax=1)
        for i, row in enumerate(counts):
            for j, count in enumerate(row):
                color = "white" if shares[i][j] > 0.75 else "#20262e"  # the one with more contrast
                axes.text(j, i, f"{count}\n{shares[i][j]:.0%}", ha="center", va="center", color=color, fontsize=8.5)
        names = [drawable(name) for name in names]
        axes.set_xticks(range(len(names)), names, rotation=35 if len(names) > 4 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set(xlabel="predicted label", ylabel="true label")
        return as_svg(figure)
