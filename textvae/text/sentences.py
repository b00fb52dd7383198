"""Splitting running text into sentences, by rules or by a Punkt model trained on the corpus itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# Words after which a full stop seldom ends a sentence. A short list suffices: Punkt learns those of a corpus.
_ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof st jr sr vs etc e.g i.e no vol fig al gen col capt lt sgt rev hon gov sen rep""".split()  # noqa: SIM905
)
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


def train_punkt(texts: Iterable[str], max_characters: int = 5_000_000) -> Callable[[str], list[str]]:
    """Train a Punkt sentence splitter (Kiss and Strunk 2006), which learns abbreviations and sentence starters.

    Args:
        texts: the texts of the corpus.
        max_characters: training stops after about this many characters, so that memory stays bounded.

    Returns:
        a function that splits a text into its sentences.
    """
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer

    trainer = PunktTrainer()
    seen = 0
    part: list[str] = []
    for text in texts:
        part.append(text)
        seen += len(text)
        if len(part) == 1000 or seen >= max_characters:
            trainer.train("\n\n".join(part), finalize=False)
            part = []
        if seen >= max_characters:
            break
    if part:
        trainer.train("\n\n".join(part), finalize=False)
    trainer.finalize_training()
    return PunktSentenceTokenizer(trainer.get_params()).tokenize


# Words that are written with a leading apostrophe, such as 'tis.
_ELISIONS = ("tis", "twas", "em", "til", "till", "cause", "bout", "n", "round")


def drop_dangling_quotes(text: str) -> str:
    """Remove unpaired straight quotation marks and brackets, which splitting a longer speech leaves in a sentence.

    >>> drop_dangling_quotes('"Go out. I will come.')
    'Go out. I will come.'
    >>> drop_dangling_quotes('He said, "Don\\'t touch my sons\\' wives."')
    'He said, "Don\\'t touch my sons\\' wives."'
    """
    open_at: dict[str, list[int]] = {'"': [], "'": [], "(": []}
    drop: set[int] = set()
    for place, mark in enumerate(text):
        before = text[place - 1] if place else " "
        after = text[place + 1] if place + 1 < len(text) else " "
        if mark == "(":
            open_at["("].append(place)
        elif mark == ")":
            if open_at["("]:
                open_at["("].pop()
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
