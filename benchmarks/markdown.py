"""Markdown of the pages: tables, numbers with errors, and the source of a page's numbers."""

from __future__ import annotations

from typing import Any


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def shown(row: dict[str, Any], name: str, form: str = "{:.2f}") -> str:
    """A number of a row; an empty cell where it was not measured."""
    if name not in row:
        return ""
    text = form.format(row[name])
    # What rounds to nothing has no sign.
    return text if any(digit in text for digit in "123456789") else text.replace("-", "")


def with_error(row: dict[str, Any], name: str, form: str = "{:.2f}") -> str:
    """A number of a row with its standard error, where it has one."""
    if f"{name}_se" not in row:
        return shown(row, name, form)
    # An error has no sign.
    return f"{shown(row, name, form)} ± {form.replace('+', '').format(row[f'{name}_se'])}"


def active_units(row: dict[str, Any]) -> str:
    return f"{row['active_units']} of {row['latent_dim']}" if "active_units" in row else ""


MI = "MI, at least (from sentences)"
"""The header of the column of `information`."""


def information(row: dict[str, Any]) -> str:
    """Mutual information, and the number of sentences that it was estimated from: it grows with that."""
    if "mi" not in row:
        return ""
    # Rows from before `mi_sentences` was noted were measured on all sentences, which were at most 10 000.
    return f"{with_error(row, 'mi')} ({row.get('mi_sentences', row['sentences']):,})"


def collapsed(row: dict[str, Any]) -> str:
    return {True: "yes", False: "no"}[row["collapsed"]] if "collapsed" in row else ""


def source(content: dict[str, Any], name: str) -> list[str]:
    return [
        f"From `benchmarks/results/{name}.json`: `{content['command']}`, commit {content['commit']}, "
        f"{content['date']}, {content['hardware']}, torch {content['torch']}.",
        "",
    ]
