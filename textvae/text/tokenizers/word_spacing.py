"""Whether two neighbouring pieces of text usually stand together: the spacing that needs no mark."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textvae.text.tokenizers.word_pieces import CLITIC, ELISION, GLUE, SPACE, remembered

_BOTH = frozenset(
    [*"/\u2014\u3001\u3002\uff0c\uff01\uff1f\uff1a\uff1b\u300c\u300d\u300e\u300f\uff08\uff09\u3010\u3011", "--"]
)
_LEFT = frozenset([*".,!?;:)]}%\u2030\u00b0\u2026\u00ae\u2122\u060c\u061b\u061f\u0964\u0965", "''"])
_RIGHT = frozenset([*"([{#\u00bf\u00a1\u201e\u201a", "``"])
_OPENING, _CLOSING = frozenset("\"'\u201c\u2018"), frozenset("\u201d\u2019")
_QUOTES = _OPENING | _CLOSING
_SUMS_FRONT, _SUMS_BEHIND = frozenset("$\u00a3\u00a5\u20b9\u20a9"), frozenset("\u20ac\u20bd\u00a2")
_CLITIC, _ELISION = re.compile(CLITIC), re.compile(ELISION)
_AFTER_NUMBER = frozenset(["st", "nd", "rd", "th", "s"])
_RUN = re.compile(r"([^\w\s])\1*", re.DOTALL)
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")

_NUMBER, _SUM, _PICTURE = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Shape:
    """How a piece stands among others.

    Attributes:
        text: the piece.
        left: whether it sticks to whatever is before it.
        right: whether it sticks to whatever is behind it.
        turns: whether `right` holds only as long as its left side is not marked: a quotation mark that is glued to what
            is before it closes ("so"), a currency sign stands behind its sum (5$).
        gives: bits; a piece sticks to the one before it also where a bit of both is set in `gives` and `takes`.
        takes: bits.
        rank: of two neighbours the one of higher rank is marked: punctuation, so that words have few variants.
    """

    text: str
    left: bool = False
    right: bool = False
    turns: bool = False
    gives: int = 0
    takes: int = 0
    rank: int = 0


UNMARKED, MARK = -1, 9
"""The ranks of the unknown word, and of the characters of marks in a text (which are marked on the left only)."""


@remembered
def shape_of(piece: str) -> Shape:
    """The shape of a piece."""
    first = piece[0]
    if piece == "<unk>":
        return Shape(piece, rank=UNMARKED)
    if piece in (GLUE, SPACE):
        return Shape(piece, rank=MARK)
    if first.isdigit() or (first in ".," and piece[1:2].isdigit()):
        return Shape(piece, gives=_NUMBER, takes=_SUM)
    if _CLITIC.fullmatch(piece):
        return Shape(piece, left=True, rank=1)
    if first.isalpha():
        elided = piece[-1] in "'\u2019" and _ELISION.fullmatch(piece) is not None
        return Shape(piece, right=elided, takes=_NUMBER if piece in _AFTER_NUMBER else 0)
    if piece in _QUOTES:
        return Shape(piece, left=piece in _CLOSING, right=piece in _OPENING, turns=True, rank=4)
    if piece in _SUMS_FRONT:
        return Shape(piece, right=True, turns=True, rank=3)
    if piece in _SUMS_BEHIND:
        return Shape(piece, gives=_SUM, takes=_NUMBER, rank=3)
    if first == "<" and piece[-1] == ">" and len(piece) > 2:
        alone = piece[-2] == "/"
        return Shape(piece, left=alone or piece[1] == "/", right=alone or piece[1] != "/", rank=3)
    if _EMOJI.match(piece):
        return Shape(piece, gives=_PICTURE, takes=_PICTURE, rank=1)
    if piece in _LEFT or piece in _BOTH or piece in _RIGHT:
        return Shape(piece, left=piece not in _RIGHT, right=piece not in _LEFT, rank=2 if piece in ".,!?;:" else 3)
    if _RUN.fullmatch(piece):
        return Shape(piece, left=first in ".!?,;\u2026", rank=3)
    return Shape(piece, rank=0 if any(map(str.isalnum, piece)) else 1)


def together(before: Shape, marked: str, after: Shape) -> bool:
    """Whether two pieces usually stand together.

    Args:
        before: the first piece.
        marked: the mark on its left side; a quotation mark that is glued to what is before it closes.
        after: the second piece.
    """
    right = before.right
    if before.turns and marked:
        right = marked == SPACE
    return right or after.left or bool(before.gives & after.takes)
