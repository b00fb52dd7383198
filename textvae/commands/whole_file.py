"""The options by which a command answers every row of a file instead of some sentences."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textvae.commands.output import print_json, tell
from textvae.errors import ConfigError

if TYPE_CHECKING:
    from textvae.mapping import Counts

_EVERY = 10.0
"""Seconds between two lines of progress, where standard error is no terminal."""


@dataclass(frozen=True)
class FileOptions:
    """The file that is read, the file that is written, and how."""

    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="IN",
            help="Answer every row of a file: lines, CSV, TSV, JSON lines, Parquet or Arrow. Needs --out.",
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="OUT", help="With --file: the new file; its ending says of which kind."),
    ] = None
    column: Annotated[
        str | None,
        typer.Option(
            "--column", metavar="NAME", help="With --file: the column with the text; by default as in the run's corpus."
        ),
    ] = None
    on_error: Annotated[
        str | None,
        typer.Option(
            "--on-error",
            metavar="WHAT",
            help="With --file: truncate (cut long texts, keep the rows of blank and broken ones), skip (long ones have "
            "no answer either) or stop; default truncate.",
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option("--delimiter", metavar="C", help="With --file: the character between cells, or tab."),
    ] = None
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="KIND",
            help="With --file: lines, csv, tsv, json_lines, parquet or arrow; by default found.",
        ),
    ] = None

    def asked(self, sentences: object) -> bool:
        """Whether the command answers a file.

        Args:
            sentences: the sentences on the command line.

        Raises:
            ConfigError: --file without --out, with sentences, or another of the options without --file.
        """
        if "-" in (str(self.file), str(self.out)):
            raise ConfigError(
                "- is no name for --file or --out, which go from file to file; to read standard input and write "
                "standard output, leave both out."
            )
        if self.file is not None:
            if sentences:
                raise ConfigError("got sentences and --file; leave one of them out.")
            if self.out is None:
                raise ConfigError("--file needs --out, the new file with the answers; give --out OUT.")
            return True
        named = {"--out": self.out, "--column": self.column, "--on-error": self.on_error}
        named |= {"--delimiter": self.delimiter, "--format": self.file_format}
        for option, value in named.items():
            if value is not None:
                raise ConfigError(f"{option} says how a file is answered; give the file by --file IN, or leave it out.")
        return False

    def answer(
        self, run: str, verb: str, *, seed: int = 0, as_json: bool = False, npy: bool = False, **how: Any
    ) -> None:
        """Answer the file, and say on standard error what happened to its rows.

        Args:
            run: a finished run, a model folder, or a name on the hub.
            verb: what is done; see `textvae.mapping.verbs`.
            seed: of what is drawn.
            as_json: print the counts as JSON to standard output too.
            npy: whether the codes go to a .npy file beside the output.
            how: settings of the verb.
        """
        from textvae.mapping import map_file

        assert self.file is not None and self.out is not None
        with _progress() as progress:
            counts = map_file(
                run,
                self.file,
                self.out,
                verb,
                column=self.column,
                delimiter=self.delimiter,
                format=self.file_format,
                on_error="truncate" if self.on_error is None else self.on_error,
                npy=npy,
                seed=seed,
                progress=progress,
                **how,
            )
        tell(f"{_in_words(counts)}: {self.out}")
        if as_json:
            print_json({"out": str(self.out), **asdict(counts)})


def _in_words(counts: Counts) -> str:
    """Such as `1,000 rows: 997 answered (12 of them cut as in training), 2 blank, 1 broken (row 7: ...)`."""
    first = f"broken ({counts.first_broken.rstrip('.')})"
    cut = f" ({counts.cut:,} of them cut as in training)" if counts.cut else ""
    told = [f"{counts.answered:,} answered{cut}"]
    told += [
        f"{number:,} {word}"
        for number, word in ((counts.too_long, "too long"), (counts.blank, "blank"), (counts.broken, first))
        if number
    ]
    return f"{counts.rows:,} {'row' if counts.rows == 1 else 'rows'}: {', '.join(told)}"


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar on a terminal, else a line every few seconds; both go to standard error."""
    if not (sys.stderr and sys.stderr.isatty()):
        last = time.monotonic()

        def line(share: float, rows: int) -> None:
            nonlocal last
            if time.monotonic() - last > _EVERY:
                last = time.monotonic()
                tell(f"  {rows:,} rows" + (f", {share:.0%} of the file" if share else ""))

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.fields[rows]:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0, rows=0)
        yield lambda share, rows: bar.update(task, completed=share, rows=rows)
