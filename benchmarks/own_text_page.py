"""A block of docs/own_text.md: what came out of people's files without a hand on them, from `own_text.json`."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import MI, collapsed, information, shown, source, table


def own_text_block(contents: dict[str, dict[str, Any]]) -> str:
    """What came out, with times and sentences."""
    if "own_text" not in contents:
        return ""
    content = contents["own_text"]
    lines = [
        "Each row is one file that was given to `textvae new FILE --minutes M` and then to `textvae run`, without a",
        "hand on the recipe. `share of the budget` is the time of the run, all stages counted, over the minutes that",
        "were given; it is small where training stopped early, because the validation bound no longer fell. MI is the",
        "mutual information of text and z, in nats, from the number of test sentences in brackets; it grows with that",
        "number and cannot exceed its logarithm. The sentences are the first three that the report shows: draws from",
        "the prior, decoded by sampling.",
        "",
        *source(content, "own_text"),
    ]
    rows = content["rows"]
    lines += table(
        [
            *("corpus", "minutes", "seconds", "share of the budget", "stopped early", "said to be too short", "epochs"),
            *("collapsed", MI, "NLL", "labels", "accuracy", "`new`, seconds", "commit", "on"),
        ],
        [_cells(row) for row in rows],
    )
    for row in rows:
        lines += ["", f"**{row['name']}, {row['minutes']} minutes**", ""]
        lines += [f"- {sentence}" for sentence in row["sentences_read"].split(" | ")]
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> list[str]:
    yes = {True: "yes", False: "no"}
    return [
        row["name"],
        str(row["minutes"]),
        f"{row['seconds']:.0f}",
        f"{row['seconds'] / (60 * row['minutes']):.2f}",
        yes[row["stopped_early"]],
        yes[row["told_too_short"]],
        f"{row['epochs']:.1f}",
        collapsed(row),
        information(row),
        f"{row['iw_nll']:.2f} ± {row['iw_nll_se']:.2f} (IW-{row['iw_samples']})",
        shown(row, "classify_labels", "{:,}"),
        shown(row, "classify_accuracy", "{:.3f}"),
        f"{row['new_seconds']:.1f}",
        row["commit"],
        row["made_on"],
    ]
