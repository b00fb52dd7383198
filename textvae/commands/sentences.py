"""Reads the sentences for a command: from its arguments, or from standard input, one per line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from textvae.commands.output import tell
from textvae.errors import DataError

Sentences = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SENTENCE]...", help="Sentences; read from standard input, one per line, if none."),
]


def read_sentences(arguments: Sequence[str] | None) -> list[str]:
    """The sentences of the arguments; if there are none, the lines of standard input.

    Raises:
        DataError: standard input is closed, empty or not UTF-8.
    """
    if arguments:
        return list(arguments)
    if sys.stdin is None:
        raise DataError("got no sentences, and standard input is closed; give some as arguments, or leave out `<&-`.")
    if sys.stdin.isatty():
        tell("Reading sentences from standard input, one per line; end with Ctrl-D.")
    try:
        lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"standard input is not UTF-8 (byte {error.start}); convert it, for instance with iconv."
        ) from None
    if not lines:
        raise DataError("got no sentences; give some as arguments, or on standard input, one per line.")
    return lines
