"""`textvae compare`: finished runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.options import AsJSON
from textvae.commands.output import print_result, tell

_SAMPLES = 3
"""Texts of a list that are printed."""


def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Finished runs: the first is the reference.")],
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Write a page like the report too, a new file ending in .html."),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Compare finished runs: their numbers, paired differences by sentence, curves, samples and paths."""
    print_result(compare_runs(runs, page=page), as_json, lines_of)


def compare_runs(runs: Sequence[str | Path], *, page: Path | None = None) -> dict[str, Any]:
    """Compare finished runs.

    Args:
        runs: their folders; the first one is the reference of the paired differences.
        page: a new file for a page like the report's; None for none.

    Returns:
        see `textvae.pipeline.comparing.compare`.

    Raises:
        TextVAEError: fewer than two runs, one is not finished, or the page cannot be written.
    """
    from textvae.pipeline.comparing import compare
    from textvae.pipeline.report.comparison import write_page

    found = compare(runs)
    if page is not None:
        tell(f"page: {write_page(found, page)}")
    return found


def lines_of(found: dict[str, Any]) -> Iterator[str]:
    """The comparison as lines of text."""
    names = [run["folder"] for run in found["runs"]]
    for letter, run in zip(_letters(names), found["runs"], strict=True):
        yield f"{letter}  {run['folder']}: {run['recipe']}, corpus {run['corpus']}, seed {run['seed']}"
        if run["verdict"]:
            yield f"   {run['verdict']}"
    rows = [["", *_letters(names), "unit"]]
    rows += [[number["title"], *number["shown"], number["unit"]] for number in found["numbers"]]
    yield ""
    yield from _table(rows)
    if found["settings"]:
        yield ""
        yield "Settings that differ:"
        yield from _table([[name, *map(_value, values)] for name, values in found["settings"].items()])
    yield ""
    for letter, pair in zip(_letters(names)[1:], found["paired"], strict=True):
        yield f"{letter} - A: {paired_sentence(pair)}"
    for row in found["texts"]:
        if sum(texts is not None for texts in row["of"]) < 2:
            continue
        yield ""
        yield f"{row['title']}:"
        for letter, texts in zip(_letters(names), row["of"], strict=True):
            yield from (f"{letter}  {text}" for text in _some(texts or ()))


def paired_sentence(pair: dict[str, Any]) -> str:
    """A paired difference in words.

    >>> paired_sentence({"difference": -0.1, "difference_se": 0.02, "samples": 100, "sentences": 4000})
    'NLL -0.100 ± 0.020 nats per sentence, over 4,000 sentences, bounds of 100 samples.'
    """
    if "reason" in pair:
        return f"no paired difference: {pair['reason']}"
    error = "" if pair["difference_se"] is None else f" ± {pair['difference_se']:.3f}"
    bounds = f"bounds of {pair['samples']} samples" if pair["samples"] else "both exact"
    return f"NLL {pair['difference']:+.3f}{error} nats per sentence, over {pair['sentences']:,} sentences, {bounds}."


def _letters(names: Sequence[str]) -> list[str]:
    """A short name for each run.

    >>> _letters(["runs/a", "runs/b"])
    ['A', 'B']
    """
    return [chr(ord("A") + number) if number < 26 else f"R{number}" for number in range(len(names))]


def _some(texts: Sequence[str]) -> list[str]:
    from textvae.pipeline.shown import shorten, spread_out

    return [shorten(text) for text in (spread_out(texts, _SAMPLES) if len(texts) > 2 * _SAMPLES else texts)]


def _value(value: Any) -> str:
    return "" if value is None else str(value)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


COMMAND = Command(compare_command, example="RUN RUN_2")
