"""Sentences that a command is given: as arguments, or one a line on standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from textvae.commands.output import tell
from textvae.errors import DataError

Sentences = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SENTENCE]...", help="Sentences; read from standard input, one a line, if none."),
]


def read_sentences(arguments: Sequence[str] | None) -> list[str]:
    """The sentences of the arguments; where there are none, the lines of standard input.

    Raises:
        DataError: standard input is closed, empty or not UTF-8.
    """
    if arguments:
        return list(arguments)
    if sys.stdin is None:
        raise DataError("no sentence was given, and standard input is closed; name some, or leave out `<&-`.")
    if sys.stdin.isatty():
        tell("Reading sentences, one a line; end with Ctrl-D.")
    try:
        lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"standard input is not UTF-8 (byte {error.start}); convert it, for instance by iconv."
        ) from None
    if not lines:
        raise DataError("no sentence was given; name some, or send them to standard input, one a line.")
    return lines
