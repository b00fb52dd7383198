"""A block of docs/choosing.md: the gradient of a mixture posterior's weights, from `mixture_gradients.json`."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import source, table


def mixture_block(contents: dict[str, dict[str, Any]]) -> str:
    """The standard deviation of a draw by each estimator, and which means are off."""
    if "mixture_gradients" not in contents:
        return ""
    content = contents["mixture_gradients"]
    rows = {(row["name"], row["separation"], row["dimensions"]): row for row in content["rows"]}
    names = list(dict.fromkeys(row["name"] for row in content["rows"]))
    cells = list(dict.fromkeys((row["separation"], row["dimensions"]) for row in content["rows"]))
    lines = [
        *source(content, "mixture_gradients"),
        f"Two components, {content['rows'][0]['draws']:,} draws a cell. The function is linear, and its mean differs",
        "by 1 between the components; the exact derivative in the first logit is",
        f"{content['rows'][0]['exact']:.2f}. Each cell is the standard deviation of a draw; that of `stratified` is",
        "multiplied by the root of 2, as it decodes two codes in a draw. In parentheses: by how many of its standard",
        "errors the mean over all draws is off, where that is more than 3.",
        "",
    ]
    header = ["distance, in standard deviations", "dimensions", *(f"`{name}`" for name in names)]
    return "\n".join(
        lines
        + table(
            header,
            [[f"{apart:g}", str(dims), *(_cell(rows[name, apart, dims]) for name in names)] for apart, dims in cells],
        )
    )


def _cell(row: dict[str, Any]) -> str:
    off = row["off_in_errors"]
    return f"{row['sd_at_equal_decoding']:.2f}" + (f" ({off:+.0f})" if abs(off) > 3 else "")
