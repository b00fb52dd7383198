"""Cutting text into words, punctuation, clitics, and whole addresses, handles, emoticons, emoji and tags.

Nothing is dropped: the pieces of a stretch of text, put together, are that text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, wraps
from itertools import chain
from typing import TypeVar

T = TypeVar("T")

GLUE, SPACE = "\uffed", "\u2581"
"""The characters that mark a token. In a text they are tokens of their own."""

_COMBINING = re.escape(
    "".join(
        character
        for character in map(
            chr, chain(range(0x300, 0x2000), range(0x20D0, 0x20F1), range(0x302A, 0x309B), range(0xA660, 0xAC00))
        )
        if unicodedata.category(character) in ("Mn", "Mc", "Me")
    )
)
"""Characters of words that `re` does not count as such: vowel signs of Indic scripts, accents that stand alone."""

CLITIC = "(?i:n['\u2019]t|['\u2019](?:s|re|ve|ll|d|m))"
"""A pattern of what English writes at the end of another word: do n't, it 's."""
ELISION = "(?i:[ldjcnsmt]|qu|jusqu|lorsqu|puisqu|quoiqu|presqu)['\u2019]"
"""A pattern of what French writes at the beginning of another word: l' été, qu' il."""

_LETTER = r"[^\W\d_]"
# A run of letters and digits, with the joiners that Persian, Indic and hyphenated texts have inside words.
_REST = rf"[^\W_{_COMBINING}]*+(?:[{_COMBINING}\u200c\u200d\u00ad]++[^\W_]*+)*+"
_PART = rf"[^\W_]{_REST}"
# What may stand between two parts of one word: well-known, O'Neil, AT&T (but not &amp;), f**k, snake_case, col·lecció.
_INNER = rf"(?:[-\u2010\u2011\u00b7]|['\u2019\u02bc](?={_LETTER})|&(?!\w{{2,8}};)|\*{{1,5}}|_{{1,3}})"
_WORD = rf"{_LETTER}{_REST}(?:{_INNER}{_PART})*+"

_ATTRIBUTE = r"""[ \n][A-Za-z_:@][\w:.-]{0,40}+=(?:"[^"<>]{0,300}+"|'[^'<>]{0,300}+'|[^\s<>"'=]{1,300})"""
_TAG = rf"<(?!/?s>|pad>|unk>)(?:/?[A-Za-z][A-Za-z0-9:-]{{0,20}}+(?:{_ATTRIBUTE}){{0,20}}[ \n]?/?|!--\w{{0,20}}--)>"

_NO_ADDRESS = rf"\s<>\"\u201c-\u201f\u00ab\u00bb{GLUE}{SPACE}"
_ADDRESS = rf"[^{_NO_ADDRESS}]"
_ADDRESS_END = rf"[^{_NO_ADDRESS}.,;:!?()\[\]{{}}'\u2019\u2026*]"
_URL = (
    rf"(?:https?://|ftp://|www\.(?=\w)){_ADDRESS}*{_ADDRESS_END}/?"
    rf"|(?:[A-Za-z0-9-]{{1,63}}+\.){{1,4}}(?:com|org|net|edu|gov|info|io|de|co\.uk)(?![\w@])(?:/(?:{_ADDRESS}*{_ADDRESS_END})?)?"
)
_EMAIL = r"[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+)++"

_EMOTICON = r"""
    (?<!\w)[<>}]?[:;=][-'^o*,]?(?:[])([}{|\\*@$<>]++|[DPpOoSsXxdcb3](?!:)|/(?!/))(?!\w)  # :) ;-) :'( >:( :D :P :/
    | (?<=[^\W\d_])[:;=][-'^]?[)(]++(?!\w)                          # stuck to a word:)
    | (?<!\w)8-?[)D](?<=-.)(?!\w)                                   # 8-)
    | (?<!\w)[([]{1,5}[-'^]?[:;=](?![\w/])                          # (:
    | <(?:/?3)++(?!\w) | \^[_.-]?\^ | (?<!\w)(?:-_+-|>[_.]+<|[oO0]_+[oO0]|[oO]\.[oO]|T_+T|;_+;)(?!\w)
    | \\o/ | \u00af\\_+\(\u30c4\)_+/\u00af
"""

_PICTURE = (
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u231a-\u23ff\u25aa-\u25fe\u203c\u2049\u2139\u3030\u303d]"
    "[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*+"
)
_EMOJI = (
    rf"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|(?![\U0001f1e6-\U0001f1ff]){_PICTURE}(?:\u200d{_PICTURE})*+"
)

# Abbreviations that hardly ever are words at the end of a sentence ("No." and "St." are left out).
_SHORT = (
    "Mrs?|Ms|Dr|Prof|Jr|Sr|vs|etc|Sgt|Capt|Lt|Rev|Inc|Ltd|Corp|approx|Messrs|Mme|bzw|usw|ca|Nr|evtl|ggf|inkl|Mio|Mrd"
    "|Sras?|Srta|Uds?|EE\\.UU"
)
_ACRONYM = rf"(?:{_LETTER}\.)++{_LETTER}(?![\w.'\u2019])|(?:{_LETTER}\.){{2,}}+|Ph\.D\.?"
_ABBREVIATION = rf"(?<!\w)(?:(?i:{_SHORT})\.(?!\.)|{_ACRONYM})"

_LEADING = r"['\u2019](?i:tis|twas|twere|twill|em|til|till|cause|bout|round|neath|nuff|n['\u2019])(?!\w)"
_NUMBER = rf"(?:(?<![\w.,!?'\")\]])[.,])?\d++(?:[.,:/'\u2019-]\d++)*+(?:-(?={_LETTER}){_WORD})?+"

_PIECE = re.compile(
    rf"""
    [{GLUE}{SPACE}]
    | (?<!<unk>)(?<![{GLUE}{SPACE}])<unk>
    | {_TAG}
    | {_URL} | {_EMAIL}
    | (?<![\w@\#])(?:@\w{{1,50}}+ | \#\d{{0,30}}+[^\W\d]\w*+)      # @handle, #tag
    | {_EMOTICON}
    | {_EMOJI}
    | &(?:[A-Za-z]{{2,8}}|\#\d{{1,6}}|\#x[\dA-Fa-f]{{1,6}});
    | {_ABBREVIATION}
    | (?<!\w)[A-Za-z](?:\#|\+{{1,2}})(?![\w+\#])                   # C#, C++, A+
    | {_NUMBER}
    | (?<!\w){_LEADING}                                           # 'tis, 'em, 'n'
    | (?<=.){CLITIC}(?!\w) | \A{CLITIC}\Z                      # 's after a number or a quotation mark, or alone
    | {_WORD}(?:\+\+(?![\w+]))?
    | ([.!?=*_~\#+|^$%@:;,\\/-]|\u2026)\1{{1,4}}+ | `` | ''
    | .[{_COMBINING}\ufe0f]*+
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACED_TAG = re.compile(_TAG)

_VOWELS = (
    "aeiouyh\u0153\u00e6\u00e0\u00e1\u00e2\u00e4\u00e9\u00e8\u00ea\u00eb\u00ee\u00ef\u00f4\u00f6\u00f9\u00fb\u00fc"
)
_ELIDED = re.compile(rf"{ELISION}(?=[{_VOWELS}{_VOWELS.upper()}])")
_ENDS = re.compile(rf"{CLITIC}\Z")


_SHORT_ENOUGH = 64


def remembered(function: Callable[[str], T]) -> Callable[[str], T]:
    """The function with a memory of its latest results, for short texts alone: long ones do not recur and take room."""
    known = lru_cache(maxsize=1 << 16)(function)

    @wraps(function)
    def call(text: str) -> T:
        return known(text) if len(text) <= _SHORT_ENOUGH else function(text)

    return call


def stretches(text: str) -> list[str]:
    """The text between spaces; a space inside a tag is a line feed, which normalized text does not have.

    >>> stretches('so <br /> it is')
    ['so', '<br\\n/>', 'it', 'is']
    """
    if "<" in text:
        text = _SPACED_TAG.sub(lambda tag: tag[0].replace(" ", "\n"), text)
    return text.split(" ") if text else []


@remembered
def pieces(stretch: str) -> tuple[str, ...]:
    """The pieces of a text between two spaces, as `stretches` gave it.

    >>> pieces("(they've"), pieces("AT&T's"), pieces("l'été:"), pieces("5kg"), pieces("x.org/a?b=1).")
    (('(', 'they', "'ve"), ('AT&T', "'s"), ("l'", 'été', ':'), ('5', 'kg'), ('x.org/a?b=1', ')', '.'))
    """
    found: list[str] = []
    for match in _PIECE.finditer(stretch):
        piece = match[0].replace("\n", " ")
        if len(piece) > 2 and ("'" in piece or "\u2019" in piece) and piece[0].isalnum():
            found += _parts(piece)
        else:
            found.append(piece)
    return tuple(found)


def _parts(word: str) -> tuple[str, ...]:
    """A word with apostrophes without its elided articles in front and its clitics behind, and these."""
    front: list[str] = []
    back: list[str] = []
    while elision := _ELIDED.match(word):
        front.append(elision[0])
        word = word[elision.end() :]
    while (ending := _ENDS.search(word)) and ending.start():
        back.append(ending[0])
        word = word[: ending.start()]
    return (*front, word, *reversed(back))
