r"""Text as it may be shown: what would steer a terminal, or turn the reading order of a page, becomes visible.

Texts, labels, settings and names of files come from anywhere; an escape sequence in one of them could clear the
screen, or make a line read as another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from textvae.errors import ModelError

# DEL and C1, lone surrogates, line and paragraph separators, embeddings, overrides and isolates of direction.
_OTHERS = "\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069"
_UNPRINTABLE = re.compile(f"[\x00-\x08\x0a-\x1f{_OTHERS}]")
_UNPRINTABLE_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_OTHERS}]")
_UNPRINTABLE_IN_JSON = re.compile(f"[{_OTHERS}]")


def printable(text: str, *, lines: bool = False) -> str:
    r"""The text with control characters as visible escapes; tabs stay, and newlines where `lines` says so.

    >>> print(printable("red \x1b[31m\u202e\ncafé"))
    red \x1b[31m\u202e\ncafé
    """
    pattern = _UNPRINTABLE_IN_LINES if lines else _UNPRINTABLE
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The same, with lines that were joined on purpose put one behind the other."""
    return printable(" ".join(line.strip() for line in text.split("\n")).strip())


def json_text(value: object, encoding: str | None = None) -> str:
    r"""JSON, indented by two, which reads back as the same value; control characters in it are escapes.

    Args:
        value: what is made of plain JSON values.
        encoding: what the text must be written in; characters that it does not have become escapes.

    Raises:
        ModelError: a number is not finite, which JSON has no word for.

    >>> print(json_text({"text": "café \x9b \u202e"}))
    {
      "text": "café \u009b \u202e"
    }
    """
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    except ValueError:
        where = next(_not_finite(value), "a number")
        raise ModelError(
            f"{where} is not finite, and JSON holds finite numbers only; leave out --json to see it, or train the "
            "model anew with a lower train.optimizer.lr."
        ) from None
    if encoding is not None:
        try:
            text.encode(encoding, "surrogatepass")
        except (UnicodeEncodeError, LookupError):
            text = json.dumps(value, indent=2, allow_nan=False)
    return _UNPRINTABLE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _not_finite(value: Any, where: str = "") -> Iterator[str]:
    """Where in a value numbers are that JSON cannot hold, with what they are."""
    if isinstance(value, float) and not abs(value) < float("inf"):
        yield f"{where or 'the result'} = {value}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_finite(inner, f"{where}.{name}" if where else str(name))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _not_finite(inner, f"{where}[{i}]")
