"""The report's curves show what the training came to."""

from __future__ import annotations

from typing import Any

import pytest

from textvae.pipeline.report import plots
from textvae.pipeline.report.latent_map import latent_map

pytest.importorskip("matplotlib")


def axes_with(values: list[float]) -> Any:
    _, (axes,) = plots.new_figure(3.0, 2.0)
    axes.plot(range(len(values)), values)
    return axes


def test_a_beginning_that_would_press_the_rest_together_is_drawn_on_a_logarithmic_axis() -> None:
    axes = axes_with([900.0, *(50.0 - 0.1 * step for step in range(100))])
    plots._scale(axes)
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "log"
    assert 0 < low < 40.1 and high > 900.0, "the whole curve, its beginning too"
    assert [text.get_text() for text in axes.texts] == ["logarithmic"]
    axes.figure.canvas.draw()
    assert all("10^" not in label.get_text() for label in axes.get_yticklabels()), "50, not a power of ten"


def test_zero_stays_where_it_is_asked_for() -> None:
    axes = axes_with([200.0, *(7.0 for _ in range(50)), 6.5])
    plots._scale(axes, 0.0)
    axes.update_datalim([(0.0, 0.0)], updatex=False)
    axes.autoscale_view()
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "symlog"
    assert low <= 0.0 < 200.0 < high


@pytest.mark.parametrize("values", [[3.0], [5.0, 5.0, 5.0], [8.0, 7.0, 6.0, 5.0, 4.0, 3.0]])
def test_curves_without_such_a_beginning_are_left_alone(values: list[float]) -> None:
    axes = axes_with(values)
    before = axes.get_ylim()
    plots._scale(axes)
    assert axes.get_ylim() == before
    assert not axes.texts


def test_all_lines_of_a_training_make_one_picture() -> None:
    rows = [
        {"step": step, "loss": 90.0 / step, "nll": 80.0 / step, "kl": 5.0, "kl_penalty": 6.0, "kl_weight": 1.0}
        for step in range(1, 30)
    ]
    assert plots.training_curves([*rows, {"step": 29, "valid_elbo_nll": 4.0}]).startswith("<svg")


def test_a_constant_rate_is_drawn_on_an_axis_that_begins_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that differs by rounding alone: no axis of its ten-millionths, and no offset beside the title."""
    rows = [{"step": step, "loss": 50.0, "kl": 4.0 - 1e-7 * (step % 2), "kl_penalty": 4.0} for step in range(1, 30)]
    seen = []
    monkeypatch.setattr(plots, "as_svg", lambda figure: seen.append(figure) or "<svg")
    plots.training_curves(rows)
    middle = seen[0].axes[1]
    low, high = middle.get_ylim()
    assert -1.0 < low <= 0.0 and 4.1 < high < 8.0
    seen[0].canvas.draw()
    assert middle.yaxis.get_offset_text().get_text() == ""


def test_epochs_have_a_thick_line_where_they_have_several_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that scatter, beside their mean of each epoch; with one point an epoch a single line is all."""
    seen = []
    monkeypatch.setattr(plots, "as_svg", lambda figure: seen.append(figure) or "<svg")
    rows = [
        {"step": step, "epoch": 1 + (step - 1) // 10, "loss": 50.0 - step // 10 + (-3.0) ** (step % 2)}
        for step in range(1, 52)
    ]
    for given in (rows, rows[::10]):
        plots.training_curves(given)
    several, single = (figure.axes[0].lines for figure in seen)
    thin, thick = several
    assert len(thin.get_xdata()) == 51 and thick.get_xdata().tolist() == [10, 20, 30, 40, 50, 51]
    assert thick.get_linewidth() > thin.get_linewidth()
    assert max(abs(a - b) for a, b in zip(thick.get_ydata()[:-1], thick.get_ydata()[1:-1], strict=False)) < 1.5
    assert [line.get_label() for line in single] == ["loss"] and len(single[0].get_xdata()) == 6


def test_more_labels_than_colors_leave_the_map_its_room() -> None:
    """Published data has dozens of labels: a legend of them all once left no room for the picture."""
    labels = [f"label {i % 77:02}" for i in range(770)]
    points = [[float(i % 13), float(i % 7)] for i in range(770)]
    made = latent_map({"points": points, "labels": labels})
    assert len(made["legend"]) == 11 and made["legend"][-1] == (None, "67 other labels")
    assert {point["color"] for point in made["points"]} == {None, *range(10)}
    assert all(0 <= point["x"] <= made["width"] and 0 <= point["y"] <= made["height"] for point in made["points"])


def test_distances_on_the_map_are_true() -> None:
    made = latent_map({"points": [[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]]})["points"]
    across, up = abs(made[1]["x"] - made[0]["x"]), abs(made[2]["y"] - made[0]["y"])
    assert across == pytest.approx(3 * up, abs=0.2) and made[2]["y"] < made[0]["y"]
    assert latent_map({"points": [[1.0, 1.0]]})["points"][0]["x"] == 320.0
