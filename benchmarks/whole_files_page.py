"""A block of docs/whole_files.md: speed and memory on a file of a million lines, from `whole_files.json`."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import source, table


def whole_files_block(contents: dict[str, dict[str, Any]]) -> str:
    """Speed beside that of the computation alone, and memory beside that of a small file."""
    if "whole_files" not in contents:
        return ""
    content = contents["whole_files"]
    lines = [
        "A model of the size that `textvae new` proposes for medium files (LSTM 128, z 24, 8000 pieces; not trained,",
        "as the speed does not depend on the weights), lines of at most 40 tokens, Parquet out. `in memory` is the",
        "same computation on the first parts of the same file, already tokenized. Seconds are those of the whole",
        "command.",
        "",
        *source(content, "whole_files"),
    ]
    return "\n".join(lines + table(_HEADER, [_cells(row) for row in content["rows"]]))


_HEADER = [
    *("command", "lines", "seconds", "lines per second", "in memory, lines per second", "share", "peak memory, MiB"),
    *("with 50 000 lines, MiB", "ratio", "same bytes after SIGKILL", "commit", "on"),
]


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["name"],
        f"{row['lines']:,}",
        f"{row['seconds']:,.0f}",
        f"{row['per_second']:,}",
        f"{row['in_memory_per_second']:,}",
        f"{row['of_in_memory']:.2f}",
        f"{row['peak_memory_mb']:,}",
        f"{row['few_peak_memory_mb']:,}",
        f"{row['of_few_peak_memory']:.2f}",
        "yes" if row["same_bytes_after_kill"] else "no",
        row["commit"],
        row["made_on"],
    ]


def scaling_block(contents: dict[str, dict[str, Any]]) -> str:
    """The throughput of one and of two actors, from `scaling.json`."""
    if "scaling" not in contents:
        return ""
    content = contents["scaling"]
    header = ["actors, a core each", "files", "lines", "seconds", "lines per second", "commit", "on"]
    rows = [
        [
            str(row["actors"]),
            str(row["files"]),
            f"{row['lines']:,}",
            f"{row['seconds']:,.1f}",
            f"{row['per_second']:,}",
            row["commit"],
            row["made_on"],
        ]
        for row in content["rows"]
    ]
    lines = [
        "Measured on one machine of two cores, with the model of [whole_files.md](whole_files.md). The time is that of",
        "the whole call: starting the actors and reading the models count.",
        "",
        *source(content, "scaling"),
    ]
    return "\n".join(lines + table(header, rows))
