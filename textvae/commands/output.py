"""What a command prints: its result to standard output, all else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from textvae.printable import json_text, printable

T = TypeVar("T")


def print_line(line: str) -> None:
    """Print a line of the result to standard output; what would steer a terminal is shown as an escape."""
    print(printable(line), flush=True)


def tell(line: str) -> None:
    """Print a line of progress, or a remark, to standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def print_result(result: T, as_json: bool, lines: Callable[[T], Iterable[str]]) -> None:
    """Print a command's result to standard output.

    Args:
        result: made of plain JSON values.
        as_json: whether it is printed as JSON.
        lines: the result as lines for people.

    Raises:
        ModelError: JSON is asked for, and a number is not finite.
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
    """Print results as they come; as JSON they are one list, laid out as if it were printed at once.

    Args:
        results: each made of plain JSON values.
        as_json: whether they are printed as JSON.
        line: a result as a line for people.

    Raises:
        ModelError: JSON is asked for, and a number is not finite.
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
