"""Cutting running text into sentences, by rule or by a Punkt model trained on the corpus itself."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Words after which a full stop seldom ends a sentence. Short on purpose: Punkt learns a corpus' own.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc e.g i.e no vol fig al gen col capt lt sgt rev hon gov sen rep".split()
)
# The end of a sentence: its mark, whatever closes with it, white space, then something that can open one.
_END = re.compile(r"""([.!?]+["'”’)\]]*)\s+(?=["'“‘(\[]*[^\W_a-z])""")


def split_sentences(text: str) -> list[str]:
    """Cut text after ``. ! ?`` (and closing quotes) where a space and a capital, a digit or a quote follows.

    >>> split_sentences('He said, "Go!" Mr. Hill went. "Why?" she asked.')
    ['He said, "Go!"', 'Mr. Hill went.', '"Why?" she asked.']
    """
    sentences = []
    start = 0
    for match in _END.finditer(text):
        if match[1] == "." and _is_abbreviation(text, match.start()):
            continue
        sentences.append(text[start : match.end(1)])
        start = match.end()
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def _is_abbreviation(text: str, stop: int) -> bool:
    """Whether the full stop at `stop` follows an abbreviation or a single initial."""
    word = text[text.rfind(" ", 0, stop) + 1 : stop].lstrip("\"'“‘([")
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")
