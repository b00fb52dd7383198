"""Printing: a command's result goes to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from textvae.printable import json_text, one_line, printable

T = TypeVar("T")


def print_line(line: str) -> None:
    """Print a line of the result to standard output; control characters are escaped."""
    print(printable(line), flush=True)


def tell(line: str) -> None:
    """Print a line of progress, or a remark, to standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Print a warning to standard error, as one line."""
    print(f"textvae: warning: {one_line(line)}", file=sys.stderr, flush=True)


def print_result(result: T, as_json: bool, lines: Callable[[T], Iterable[str]]) -> None:
    """Print a command's result to standard output.

    Args:
        result: made of plain JSON values.
        as_json: whether it is printed as JSON.
        lines: gives the result as lines of text.

    Raises:
        ModelError: `as_json` is set, and a number is not finite.
    """
    if as_json:
        print_json(result)
        return
    for line in lines(result):
        print_line(line)


def print_json(result: Any) -> None:
    """Print plain JSON values to standard output.

    Raises:
        ModelError: a number is not finite.
    """
    print(json_text(result, sys.stdout.encoding), flush=True)


def print_stream(results: Iterable[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    """Print each result as soon as it is ready. As JSON they form one list, formatted as by `print_json`.

    Args:
        results: each made of plain JSON values.
        as_json: whether they are printed as JSON.
        line: gives a result as a line of text.

    Raises:
        ModelError: `as_json` is set, and a number is not finite.
    """
    if not as_json:
        for result in results:
            print_line(line(result))
        return
    opened = False
    for result in results:
        text = json_text(result, sys.stdout.encoding).replace("\n", "\n  ")
        print(f"{',' if opened else '['}\n  {text}", end="", flush=True)
        opened = True
    print("\n]" if opened else "[]", flush=True)
