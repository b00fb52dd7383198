r"""Text made safe to display: control characters and changes of the reading direction become visible escapes.

Texts, labels, settings and file names are untrusted. An escape sequence in one of them could clear the terminal, and a
bidirectional override could make a line appear to say something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from textvae.errors import ModelError

# DEL and C1 controls, lone surrogates, line and paragraph separators, and the bidirectional embeddings, overrides and
# isolates of Unicode.
_OTHERS = "\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069"
_UNPRINTABLE = re.compile(f"[\x00-\x08\x0a-\x1f{_OTHERS}]")
_UNPRINTABLE_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_OTHERS}]")
_UNPRINTABLE_IN_JSON = re.compile(f"[{_OTHERS}]")


def printable(text: str, *, lines: bool = False) -> str:
    r"""Replace control characters by visible escapes. Tabs are kept, and newlines too if `lines` is true.

    >>> print(printable("red \x1b[31m\u202e\ncafé"))
    red \x1b[31m\u202e\ncafé
    """
    pattern = _UNPRINTABLE_IN_LINES if lines else _UNPRINTABLE
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """`printable` text on a single line: newlines become spaces."""
    return printable(" ".join(line.strip() for line in text.split("\n")).strip())


def json_text(value: object, encoding: str | None = None) -> str:
    r"""Write a value as JSON, indented by two spaces, with control characters as escapes.

    Args:
        value: nested dicts and lists of strings, numbers, booleans and None.
        encoding: the encoding of the output; characters that it cannot express become escapes. None for any character.

    Raises:
        ModelError: a number is not finite, which JSON cannot express.

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
            "model again with a lower train.optimizer.lr."
        ) from None
    if encoding is not None:
        try:
            text.encode(encoding, "surrogatepass")
        except (UnicodeEncodeError, LookupError):
            text = json.dumps(value, indent=2, allow_nan=False)
    return _UNPRINTABLE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _not_finite(value: Any, where: str = "") -> Iterator[str]:
    """The numbers in a value that are not finite, each as ``path = number``."""
    if isinstance(value, float) and not abs(value) < float("inf"):
        yield f"{where or 'the result'} = {value}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_finite(inner, f"{where}.{name}" if where else str(name))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _not_finite(inner, f"{where}[{i}]")
