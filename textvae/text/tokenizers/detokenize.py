"""Joining words to text with the usual spacing: an approximate inverse of NLTK's word tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CLOSES = frozenset([*".,!?;:)]}%", "''", "...", "\u201d", "\u2019", "\u00bb", "\u2026"])
_OPENS = frozenset([*"([{$#", "``", "\u00a3", "\u20ac", "\u201c", "\u2018", "\u00ab"])
_CLITIC = re.compile("(?i)^(?:['\u2019](?:s|re|ve|ll|d|m|t)|n['\u2019]t)$")
_ELISIONS = frozenset(["tis", "twas", "em", "til", "till", "cause", "bout", "n"])
_QUOTES = {"``": '"', "''": '"'}


def detokenize(words: Sequence[str]) -> str:
    """Join words: no space before closing punctuation and clitics, none after opening punctuation.

    >>> detokenize(["I", "do", "n't", "know", ",", "``", "he", "said", "''", "(", "twice", ")", "."])
    'I don\\'t know, "he said" (twice).'
    """
    pieces: list[str] = []
    glue = True  # whether the next word is joined without a space
    inside_single = False
    for position, word in enumerate(words):
        if word != "'":
            sticks = glue or word in _CLOSES or _CLITIC.match(word) is not None
            pieces.append(("" if sticks else " ") + _QUOTES.get(word, word))
            glue = word in _OPENS
            continue
        if position + 1 < len(words) and words[position + 1].lower() in _ELISIONS:
            pieces.append("'" if glue else " '")
            glue = True
            continue
        closes = inside_single or _ends_something(words, position)
        inside_single = not closes
        pieces.append("'" if closes or glue else " '")
        glue = not closes
    return "".join(pieces)


def _ends_something(words: Sequence[str], position: int) -> bool:
    """Whether a lone single quote, with none open before it, is an apostrophe or the end of a quotation."""
    if position == 0:
        return False
    previous = words[position - 1]
    if previous in _CLOSES:
        # With another quote to come, this one opens a quotation. Without, it closes one that began in an earlier text.
        return "'" not in words[position + 1 :]
    return previous[-1:] in ("s", "z", "x")
