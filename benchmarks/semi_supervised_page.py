"""A block of docs/few_labels.md: accuracy and calibration from few labels, from `semi_supervised.json`."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.markdown import source, table

ORDER = (
    *("tfidf_svm", "tfidf_self_training", "minilm_logistic", "minilm_self_training", "minilm_finetuned"),
    *("supervised", "probe", "semi_supervised", "semi_supervised_pretrained"),
)
"""Of the methods in the tables; others come after them."""
PAIRS = (
    ("semi_supervised", "supervised"),
    ("semi_supervised", "probe"),
    ("semi_supervised", "tfidf_svm"),
    ("semi_supervised", "tfidf_self_training"),
    ("semi_supervised_pretrained", "minilm_logistic"),
    ("semi_supervised_pretrained", "minilm_self_training"),
    ("semi_supervised_pretrained", "minilm_finetuned"),
)
"""Whose accuracies are subtracted, draw by draw."""


def few_labels_block(contents: dict[str, dict[str, Any]]) -> str:
    """For each corpus a table of accuracies and one of calibration errors, means over draws."""
    if "semi_supervised" not in contents:
        return ""
    content = contents["semi_supervised"]
    lines = [*source(content, "semi_supervised")]
    corpora = list(dict.fromkeys(row["corpus"] for row in content["rows"]))
    for corpus in corpora:
        rows = [row for row in content["rows"] if row["corpus"] == corpus]
        counts = sorted({row["labels"] for row in rows})
        names = sorted({row["name"] for row in rows}, key=lambda name: (_place(name), name))
        lines += [f"### `{corpus}`, {rows[0]['sentences']:,} test texts", ""]
        lines += table(
            ["method", *(f"{count} labels" for count in counts), *(f"calibration error, {count}" for count in counts)],
            [
                [
                    f"`{name}`",
                    *(_mean(rows, name, count, "accuracy", with_error=True) for count in counts),
                    *(_calibration(rows, name, count) for count in counts),
                ]
                for name in names
            ],
        )
        lines += ["", *_differences(rows, counts)]
    commits = sorted({row["commit"] for row in content["rows"]})
    machines = sorted({row["made_on"] for row in content["rows"]})
    lines += [f"Made at {', '.join(commits)}, on {'; '.join(machines)}."]
    return "\n".join(lines)


def _differences(rows: list[dict[str, Any]], counts: list[int]) -> list[str]:
    """A table of paired differences of accuracy; nothing where no pair has rows."""
    made = [(f"`{one}` - `{other}`", *(_paired(rows, one, other, count) for count in counts)) for one, other in PAIRS]
    cells = [list(cell) for cell in made if any(cell[1:])]
    return [*table(["difference", *(f"{count} labels" for count in counts)], cells), ""] if cells else []


def _paired(rows: list[dict[str, Any]], one: str, other: str, count: int) -> str:
    """The mean difference of two methods over the draws that both have, and its standard error."""
    values = {
        name: {row["draw"]: row["accuracy"] for row in rows if row["name"] == name and row["labels"] == count}
        for name in (one, other)
    }
    return _with_error([values[one][draw] - values[other][draw] for draw in sorted(values[one].keys() & values[other])])


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _values(rows: list[dict[str, Any]], name: str, count: int, metric: str) -> list[float]:
    return [row[metric] for row in rows if row["name"] == name and row["labels"] == count and metric in row]


def _mean(rows: list[dict[str, Any]], name: str, count: int, metric: str, with_error: bool = False) -> str:
    values = _values(rows, name, count, metric)
    if with_error:
        return _with_error(values)
    return f"{sum(values) / len(values):.3f}" if values else ""


def _with_error(values: list[float]) -> str:
    """A mean, its standard error, and of how many values it is."""
    if not values:
        return ""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return f"{mean:.3f} ± {math.sqrt(variance / len(values)):.3f} ({len(values)})"


def _calibration(rows: list[dict[str, Any]], name: str, count: int) -> str:
    error = _mean(rows, name, count, "ece")
    return error and f"{error} (perfect: {_mean(rows, name, count, 'ece_perfect')})"
