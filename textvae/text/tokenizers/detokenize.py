"""Words back to text as people write it: the inverse of NLTK's word tokenizer, as far as there is one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CLOSES = frozenset([".", ",", "!", "?", ";", ":", ")", "]", "}", "%", "''", "...", "”", "’", "»", "…"])
_OPENS = frozenset(["(", "[", "{", "``", "$", "£", "€", "#", "“", "‘", "«"])
_CLITIC = re.compile(r"(?i)^(?:['’](?:s|re|ve|ll|d|m|t)|n['’]t)$")
_QUOTES = {"``": '"', "''": '"'}


def detokenize(words: Sequence[str]) -> str:
    """Join words: no space before closing punctuation and clitics, none after opening punctuation.

    >>> detokenize(["I", "do", "n't", "know", ",", "``", "he", "said", "''", "(", "twice", ")", "."])
    'I don\\'t know, "he said" (twice).'
    """
    pieces: list[str] = []
    glue = True  # whether the next word sticks to what is already there
    inside_single = False
    for position, word in enumerate(words):
        if word == "'":
            # NLTK leaves a lone single quote ambiguous: it closes what is open or follows a plural, else it opens.
            previous = words[position - 1] if position else ""
            closes = inside_single or (previous[-1:] in ("s", "z", "x") and position > 0)
            inside_single = not inside_single and not closes
            pieces.append("'" if closes or glue else " '")
            glue = not closes
            continue
        sticks = glue or word in _CLOSES or _CLITIC.match(word) is not None
        pieces.append(("" if sticks else " ") + _QUOTES.get(word, word))
        glue = word in _OPENS
    return "".join(pieces)
