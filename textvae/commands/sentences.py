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
    """The sentences of the arguments; if there are none, the lines of standard input, empty ones included.

    A line ends with a line feed, a carriage return or both, and nowhere else: line i of the output belongs to line i of
    the input.

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
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"standard input is not UTF-8 (byte {error.start}); convert it, for instance with iconv."
        ) from None
    if not text:
        raise DataError("got no sentences; give some as arguments, or on standard input, one per line.")
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
