"""Splitting running text into sentences, by rules or by a Punkt model trained on the corpus itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# Words after which a full stop seldom ends a sentence. A short list suffices: Punkt learns those of a corpus.
_ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof st jr sr vs etc e.g i.e no vol fig al gen col capt lt sgt rev hon gov sen rep""".split()  # noqa: SIM905
)
ENDS = ".!?\u2026\u3002\uff01\uff1f\uff61\u061f\u06d4\u0964\u0965"
"""Marks that end a sentence: also those of Chinese and Japanese, Arabic, Urdu and Hindi."""

# After these marks a sentence ends wherever they stand; Punkt does not know them.
_OTHER_ENDS = re.compile(
    r"(?<=[\u3002\uff01\uff1f\uff61\u061f\u06d4\u0964\u0965])(?![\u3002\uff01\uff1f\uff61\u061f\u06d4\u0964\u0965\u300d\u300f\u201d\u2019\uff09)\"'\u3011])"
)
_OTHER_CLOSED = re.compile(
    r"(?<=[\u3002\uff01\uff1f\uff61][\u300d\u300f\u201d\uff09\u3011])(?=[^\u300d\u300f\u201d\uff09\u3011\u3001\uff0c\u3068\s])"
)
_TITLE = re.compile(
    r"(?:^|[\s\"'(\u201c\u2018-])(?:Mrs?|Ms|Messrs|Dr|Prof|St|Capt|Col|Gen|Lt|Sgt|Rev|Hon|Mme|Mlle|Herr|Sr|Sra|[A-HJ-Z])\.$"
)
# A sentence goes on where Punkt cut after the speech of '"Why?" asked he.'
_SPEECH = re.compile(rf"(?:[!?\u2026]|[.!?][{re.escape(chr(34))}'\u201d\u2019)\]]+)$")
_GOES_ON = re.compile(r"[\"'\u2018\u201c(\[-]*[^\W\d_]")
_OPENING, _CLOSING = "\"'\u201c\u2018([", "\"'\u201d\u2019)]"
# The end of a sentence: its punctuation, closing quotes and brackets, white space, then a possible start of a sentence.
_END = re.compile(rf"([.!?]+[{re.escape(_CLOSING)}]*)\s+(?=[{re.escape(_OPENING)}]*[^\W_a-z])")


def split_sentences(text: str) -> list[str]:
    """Split text after ``. ! ?`` and closing quotes, if a space and then a capital, a digit or a quote follow.

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
    word = text[text.rfind(" ", 0, stop) + 1 : stop].lstrip(_OPENING)
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")


def train_punkt(texts: Iterable[str], max_characters: int = 500_000) -> Callable[[str], list[str]]:
    """Train a Punkt sentence splitter (Kiss and Strunk 2006), which learns abbreviations and sentence starters.

    It also cuts after the full stops of other scripts, which Punkt does not know, and joins what Punkt cuts after an
    exclamation mark, a question mark or a quotation where the text goes on in lower case, as in ``"Why?" asked he.``,
    and after a title or an initial.

    Args:
        texts: the texts of the corpus.
        max_characters: training stops after about this many characters, so that memory stays bounded.

    Returns:
        a function that splits a text into its sentences.
    """
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer

    trainer = PunktTrainer()
    seen = capitals = 0
    part: list[str] = []
    for text in texts:
        part.append(text)
        seen += len(text)
        capitals += sum(map(str.isupper, text))
        if len(part) == 1000 or seen >= max_characters:
            trainer.train("\n\n".join(part), finalize=False)
            part = []
        if seen >= max_characters:
            break
    if part:
        trainer.train("\n\n".join(part), finalize=False)
    trainer.finalize_training()
    punkt = PunktSentenceTokenizer(trainer.get_params())
    has_capitals = capitals > 0.005 * seen

    def cut(text: str) -> list[str]:
        return [
            sentence
            for ended in _OTHER_ENDS.split(text)
            for closed in _OTHER_CLOSED.split(ended)
            for sentence in _joined(punkt.tokenize(closed.strip()), has_capitals)
        ]

    return cut


def _joined(sentences: Iterable[str], has_capitals: bool) -> list[str]:
    """The sentences, those that go on in lower case after speech joined to it."""
    joined: list[str] = []
    for sentence in sentences:
        start = _GOES_ON.match(sentence)
        goes_on = has_capitals and start is not None and start[0][-1].islower()
        if joined and ((goes_on and _SPEECH.search(joined[-1])) or _TITLE.search(joined[-1])):
            joined[-1] = f"{joined[-1]} {sentence}"
        else:
            joined.append(sentence)
    return joined


_PAIRS = {")": "(", "\u201d": "\u201c", "\u300d": "\u300c", "\u300f": "\u300e"}
_MARKS = re.compile(f"[\"'{re.escape(''.join([*_PAIRS, *_PAIRS.values()]))}]")

# Words that are written with a leading apostrophe, such as 'tis.
_ELISIONS = ("tis", "twas", "em", "til", "till", "cause", "bout", "n", "round")


def drop_dangling_quotes(text: str) -> str:
    """Remove unpaired quotation marks (but for the curly ', which is an apostrophe too) and brackets, which splitting a
    longer speech leaves in a sentence.

    >>> drop_dangling_quotes('"Go out. I will come.')
    'Go out. I will come.'
    >>> drop_dangling_quotes('He said, "Don\\'t touch my sons\\' wives."')
    'He said, "Don\\'t touch my sons\\' wives."'
    """
    open_at: dict[str, list[int]] = {'"': [], "'": [], **{mark: [] for mark in _PAIRS.values()}}
    drop: set[int] = set()
    for found in _MARKS.finditer(text):
        place, mark = found.start(), found[0]
        before = text[place - 1] if place else " "
        after = text[place + 1] if place + 1 < len(text) else " "
        if mark in _PAIRS.values():
            open_at[mark].append(place)
        elif mark in _PAIRS:
            if open_at[_PAIRS[mark]]:
                open_at[_PAIRS[mark]].pop()
            else:
                drop.add(place)
        elif mark == '"' or (mark == "'" and not (before.isalnum() and after.isalnum())):
            # A mark after a space, a bracket or another opening mark opens; any other closes.
            opens = (
                before.isspace()
                or before in "(["
                or (before in "\"'" and place - 1 in open_at[before] and after.isalnum())
            )
            if opens:
                if mark == "'" and re.match(r"\w*", text[place + 1 :])[0].lower() in _ELISIONS:  # type: ignore[index]
                    continue
                open_at[mark].append(place)
            elif open_at[mark]:
                open_at[mark].pop()
            elif mark == '"' or not before.isalnum():
                drop.add(place)
            # A lone ' after a letter stays: it is the apostrophe of "sons' wives".
    drop.update(place for places in open_at.values() for place in places)
    return "".join(mark for place, mark in enumerate(text) if place not in drop).strip()
