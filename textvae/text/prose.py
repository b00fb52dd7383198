"""Whether texts are prose, which is cut into sentences, or already one text a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from textvae.text.scripts import is_unspaced
from textvae.text.sentences import ENDS, split_sentences

HEAD = 2000
"""Lines of a file from which its shape is told."""

_NARROWEST, _WIDEST = 40, 140
_LAST = re.compile(rf"[{re.escape(ENDS)}:;][\"'\u2019\u201d)\]_*\u300d\u300f]*$")
_LOWER = re.compile(r"[\"'\u2018\u201c(\[_]*[^\W\d_]")


def is_wrapped(lines: Sequence[str]) -> bool:
    """Whether lines are those of running text that was broken at a width, as in a book or an e-mail.

    Most lines then end within a sentence, which the next line goes on with in lower case, and most of those that do
    are nearly full. A verse begins with a capital, and one text a line ends its sentence or has any length. Where a
    script has no capitals, all lines that end within a sentence have to be nearly full.

    Args:
        lines: the first lines of a file, blank ones included.

    >>> is_wrapped(["It was a bright day in spring when the old man set", "out, and the sea was calm. He had two"] * 9)
    True
    >>> is_wrapped(["It was a bright day in spring.", "The sea was calm, and he was alone."] * 9)
    False
    """
    filled = [line.rstrip() for line in lines if line.strip()]
    pairs = [(a.rstrip(), b.strip()) for a, b in pairwise(lines) if a.strip() and b.strip()]
    if len(pairs) < 4 or len(pairs) < len(filled) / 4:
        return False
    # Headings, tables and single long lines must not decide what a full line is.
    width = sorted(map(len, filled))[int(0.95 * (len(filled) - 1))]
    letters = [c for line in filled for c in line if c.isalpha()]
    cased = sum(c.lower() != c.upper() for c in letters) > 0.5 * len(letters)
    wide = sum(map(is_unspaced, letters)) > 0.5 * len(letters)
    if not (_NARROWEST / (2 if wide else 1)) <= width <= _WIDEST or not any(_ends(line) for line in filled):
        return False
    open_pairs = [(a, b) for a, b in pairs if not _LAST.search(a)]
    if cased:
        words = sum(len(line.split()) for line in filled)
        if sum(map(str.isupper, letters)) < 0.005 * len(letters) or words < 4 * len(filled):
            return False
        inside = [(a, b) for a, b in open_pairs if (start := _LOWER.match(b)) and start[0][-1].islower()]
    else:
        inside = open_pairs
    if len(inside) < 0.45 * len(pairs):
        return False
    full = sum(len(a) + 1 + (1 if wide else len(b.split()[0])) > (0.8 if cased else 0.95) * width for a, b in inside)
    return full >= (0.6 if cased else 0.8) * len(inside)


def is_prose(texts: Iterable[str]) -> bool:
    """Whether texts are paragraphs to be cut into sentences: most of the text is in long ones of at least four.

    Reviews of one to three sentences, single sentences, verses and headlines are not.

    Args:
        texts: some texts of a file, such as its first ones.

    >>> is_prose(["It was late. The sea was calm. He had no boat. Still, " + "he went on and on " * 12 + "."] * 5)
    True
    >>> is_prose(["It was late. The sea was calm."])
    False
    """
    characters = sentences = lengths = 0
    for text in texts:
        size = len(text) * (3 if any(map(is_unspaced, text[:20])) else 1)
        characters += size
        # Weighted by length, so that the short lines of a dialogue do not decide.
        sentences += size * sum(1 for part in _sentences(text))
        lengths += size * size
    return characters > 0 and sentences > 3.5 * characters and lengths > 200 * characters


def _sentences(text: str) -> Iterator[str]:
    for part in split_sentences(text):
        yield from (piece for piece in re.split(r"(?<=[\u3002\uff01\uff1f])", part) if piece.strip())


def _ends(line: str) -> bool:
    """Whether a sentence ends in a line."""
    return any(mark in line for mark in ENDS)
