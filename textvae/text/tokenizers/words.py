"""The rule "words": text is cut so that it comes back exactly, because unusual spacing is marked on the tokens.

Two neighbouring tokens have a usual spacing (`word_spacing`). Where the text has another one, one of the two carries a
mark at its beginning or end: U+FFED, glued to its neighbour, or U+2581, a space. A closing quotation mark is
therefore another token than an opening one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textvae.text.tokenizers.rule import Rule
from textvae.text.tokenizers.word_pieces import GLUE, SPACE, pieces, remembered, stretches
from textvae.text.tokenizers.word_spacing import MARK, Shape, shape_of, together

_MARKS = (GLUE, SPACE)


def cut(text: str) -> list[str]:
    """The tokens of a normalized text.

    >>> cut('He said, "I don\\'t know (really)" - so 5kg.')
    ['He', 'said', ',', '"', 'I', 'do', "n't", 'know', '(', 'really', ')', '￭"', '-', 'so', '5', '￭kg', '.']
    """
    tokens: list[str] = []
    before: Shape | None = None
    marked = ""  # the mark on the left side of the token before
    for stretch in stretches(text):
        glued = False
        for piece in pieces(stretch):
            shape = shape_of(piece)
            mark = ""
            if before is not None and together(before, marked, shape) is not glued:
                mark = GLUE if glued else SPACE
                if shape.rank < before.rank < MARK or shape.rank < 0:
                    tokens[-1] += mark
                    mark = ""
            tokens.append(mark + piece if mark else piece)
            before, marked, glued = shape, mark, True
    return tokens


def join(tokens: Sequence[str]) -> str:
    """The text of tokens, in whatever order; where two marks contradict each other, the later one holds.

    >>> join(cut("C'est „gut“, @anna :) 20€<br />o.k.?!"))
    "C'est „gut“, @anna :) 20€<br />o.k.?!"
    """
    parts: list[str] = []
    before: Shape | None = None
    left_before = right_before = ""
    for token in tokens:
        left, shape, right = _read(token)
        if before is not None:
            mark = left or right_before
            if not (mark == GLUE if mark else together(before, left_before, shape)):
                parts.append(" ")
        parts.append(shape.text)
        before, left_before, right_before = shape, left, right
    return "".join(parts)


@remembered
def _read(token: str) -> tuple[str, Shape, str]:
    """The mark on the left of a token, its piece, and the mark on the right."""
    left, piece, right = apart(token)
    return left, shape_of(piece), right


def apart(token: str) -> tuple[str, str, str]:
    """The mark on the left of a token ("" for none), the piece of text, and the mark on the right.

    >>> apart("￭kg"), apart("￭-￭"), apart("￭"), apart("▁￭")
    (('￭', 'kg', ''), ('￭', '-', '￭'), ('', '￭', ''), ('▁', '￭', ''))
    """
    left = right = ""
    if len(token) > 1 and token[0] in _MARKS:
        left, token = token[0], token[1:]
    if len(token) > 1 and token[-1] in _MARKS:
        token, right = token[:-1], token[-1]
    return left, token, right


def plain(token: str) -> str:
    """A token without its marks."""
    return apart(token)[1]


def starts_word(token: str) -> bool:
    """Whether a token stands after a space: no closing punctuation, no clitic, nothing that is glued to its left.

    >>> [token for token in ("do", "n't", ".", "(", '"', '￭"', "￭kg", "-", "▁!") if starts_word(token)]
    ['do', '(', '"', '-', '▁!']
    """
    left, shape, _ = _read(token)
    return left != GLUE if left else not shape.left


_OPENING_FORMS = {'"': ('"', "\u201c", "\u201e"), "'": ("'", "\u2018", "\u201a")}
_CLOSING_FORMS = {'"': (GLUE + '"', "\u201d", GLUE + "\u201c"), "'": (GLUE + "'", "\u2019", GLUE + "\u2018")}
_STRAIGHT = {
    **dict.fromkeys('"\u201c\u201d\u201e\u00ab\u00bb', '"'), "``": '"', "''": '"',
    **dict.fromkeys("'\u2018\u2019\u201a\u2039\u203a", "'"),
}  # fmt: skip
"""The straight form of each quotation mark."""
_CLOSES = frozenset(["\u201d", "\u2019", "\u00bb", "\u203a", "''"])
_TYPED = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})
_PRINTED = str.maketrans({"'": "\u2019"})
_OTHER_FORMS = {"\u2026": "...", "...": "\u2026", "\u2014": "--", "--": "\u2014", "\u2013": "-"}


def spellings(token: str) -> Iterator[str]:
    """The tokens under which a token is looked up that the vocabulary lacks: without its mark; with typewriter
    quotation marks, apostrophes, dashes and ellipses for printed ones, and the reverse; last, with another mark. A
    closing quotation mark does not become an opening one as long as there is another.

    >>> [list(spellings(token))[:3] for token in ("￭kg", "n’t", "”", "￭-￭", ".")]
    [['kg', '▁kg', 'kg▁'], ["n't", '▁n’t', '￭n’t'], ['￭"', '￭“', '"'], ['￭-', '-￭', '-'], ['▁.', '￭.', '.▁']]
    """
    left, piece, right = apart(token)
    straight = _STRAIGHT.get(piece)
    if straight is not None:
        closes = left == GLUE if left else right != GLUE and piece in _CLOSES
        same = [GLUE + piece if closes and piece not in _CLOSES else piece] if right or left == SPACE else []
        forms = [*same, *(_CLOSING_FORMS if closes else _OPENING_FORMS)[straight], piece, straight]
    else:
        forms = [left + piece, piece + right, piece] if left and right else [piece]
        for form in (_OTHER_FORMS.get(piece, piece.translate(_TYPED)), piece.translate(_PRINTED)):
            if form != piece:
                forms += [left + form + right, form]
    forms += [SPACE + piece, GLUE + piece, piece + SPACE, piece + GLUE, SPACE + piece + SPACE, GLUE + piece + GLUE]
    yield from (form for form in dict.fromkeys(forms) if form != token)


WORDS = Rule(cut=cut, join=join, spellings=spellings, plain=plain, starts_word=starts_word, version=1)
