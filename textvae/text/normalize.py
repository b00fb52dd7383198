"""The normal form of text, which tokenizers read, reports show and the search for duplicates compares."""

from __future__ import annotations

import unicodedata


def normalize(text: str) -> str:
    """Put text into Unicode form NFC, make every run of white space one space, strip the ends.

    White space is what `str.isspace` says: tabs, line ends and no-break spaces too.

    >>> normalize("  Cafe\\u0301 \\n au\\u00a0lait ")
    'Café au lait'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
