"""Books and articles: paragraphs of lines that were broken at a width, cut into sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.reading import read_lines
from textvae.text.prose import is_prose, is_wrapped
from textvae.text.sentences import ENDS, drop_dangling_quotes

LONGEST_PARAGRAPH = 400
"""Lines after which a paragraph ends at the next full stop: some texts mark no paragraphs at all."""
_FIRST = 1000
"""Lines among which the beginning of an e-book is looked for."""

_START = re.compile(r"\s*\*\*\*\s*START OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_END = re.compile(r"\s*(?:\*\*\*\s*)?END OF (?:THE|THIS)? ?PROJECT GUTENBERG", re.IGNORECASE)
_RULE = re.compile(r"[\s*_=~#.\u2022\u2014-]*$")  # a blank line, or a row of stars or dashes
_PAGE = re.compile(r"\s*[\[(-]?\s*\d{1,4}\s*[\])-]?\s*$")
_CONTENTS = re.compile(r"(?:(?:\.\s?){3,}|\s{3,})\s*(?:\d{1,4}|[ivxlc]+)\s*$", re.IGNORECASE)
_ASIDE = re.compile(r"\[(?:illustration|footnote|sidenote)\b[^\]]*\]|\[\d{1,3}\]", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<!\w)_(?=\S)([^_]*)(?<=\S)_(?!\w)")
_ITEM = re.compile(r"\s*[-*\u2022]\s+\S")
_NUMBERED = re.compile(r"\s*(?:chapter|book|part|volume|act|scene|section|canto|letter)\b|\s*[ivxlcdm]+\.?\s*$", re.I)
_ROMAN = re.compile(r"\s*(?:[IVXLC]+|\d{1,3})[.:)]\s")
_SENTENCE_END = re.compile(rf"[{re.escape(ENDS)}:;,][\"'\u2019\u201d)\]_*\u300d\u300f]*$")
_QUOTES = tuple("\"'\u2018\u201c")
_HYPHENATED = re.compile(r"([^\W\d_]+)-$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_SPACELESS = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


class ProseCorpus(FileCorpus):
    """A book or an article as a text file, without labels. Files ending in ``.gz`` are unpacked while reading.

    A text is a paragraph: lines up to a blank line or an indented one, joined by spaces. A word that was hyphenated at
    the end of a line is joined where the file has it in one piece elsewhere, and keeps its hyphen otherwise. Left out
    are headings, tables of contents, page numbers, rows of stars, notes in brackets such as ``[12]``, the marks of
    ``_emphasis_``, and what stands before ``*** START OF THE PROJECT GUTENBERG EBOOK`` and after its end.

    With `split_sentences`, as by default, paragraphs are cut into sentences, from which quotation marks without their
    partner are dropped. `split_fractions` divides paragraphs and not chapters: training and test texts are then of one
    kind, and the sentences of a paragraph stay in one split.
    """

    kind: Literal["prose"] = "prose"
    split_sentences: bool = True

    example: ClassVar[str] = (
        "CHAPTER I.\n\nThe house stood on a low hill above the river, and in the\nevening its windows shone far over "
        'the wet fields.\n\n"Who lives there?" asked the boy. Nobody knew. The old woman\nwho kept the inn said that '
        "it had been empty for years, and\nthat no one had been seen on the path since the great flood.\nThe boy "
        "looked up at the lights, which were still burning in\nevery room.\n"
    )

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        if is_wrapped(lines):
            return True
        # Paragraphs of one long line each, with blank lines between them.
        filled = [line for line in lines if line.strip()]
        return len(lines) - len(filled) > 0.3 * len(filled) and is_prose(filled)

    def read_file(self, path: Path) -> Iterator[Example]:
        for paragraph in _paragraphs(_body(line for _, line in read_lines(path))):
            if not _is_heading(paragraph) and (text := self._joined(paragraph, path)):
                yield Example(text)

    def sentence_cutter(self, texts: Iterable[str]) -> Callable[[str], list[str]]:
        cut = super().sentence_cutter(texts)

        def mended(text: str) -> list[str]:
            sentences = map(drop_dangling_quotes, cut(text))
            return [sentence for sentence in sentences if any(map(str.isalpha, sentence))]

        return mended

    def _joined(self, lines: Sequence[str], path: Path) -> str:
        text = lines[0].strip()
        for line in map(str.strip, lines[1:]):
            if text[-1].isascii() and text[-1] != "-":
                text += " " + line
            elif (hyphenated := _HYPHENATED.search(text)) and line[0].islower():
                text = text[:-1] + line if self._is_one_word(hyphenated[1], line, path) else text + line
            elif text.endswith(("--", "\u2014")) or (_SPACELESS.match(text[-1]) and _SPACELESS.match(line)):
                text += line
            else:
                text += " " + line
        if "[" in text:
            text = _ASIDE.sub("", text)
        return (_EMPHASIS.sub(r"\1", text) if "_" in text else text).strip()

    def _is_one_word(self, start: str, line: str, path: Path) -> bool:
        """Whether the file has a word that was hyphenated at the end of a line in one piece, and not with a hyphen."""
        rest = _WORD.match(line)
        words = _words_of(path)
        return rest is not None and (start + rest[0]).lower() in words and f"{start}-{rest[0]}".lower() not in words


def _words_of(path: Path) -> frozenset[str]:
    """The words of a file, in lower case, without those that a line end divides."""
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    if key not in _known:
        _known.clear()
        _known[key] = frozenset(
            word for _, line in read_lines(path) for word in _WORD.findall(line.rstrip().rstrip("-").lower())
        )
    return _known[key]


_known: dict[tuple[str, int, int], frozenset[str]] = {}


def _body(lines: Iterator[str]) -> Iterator[str]:
    """The lines between the marks of an e-book; all lines where there are none."""
    first = list(islice(lines, _FIRST))
    start = next((place + 1 for place, line in enumerate(first) if _START.match(line)), 0)
    for line in chain(first[start:], lines):
        if _END.match(line):
            return
        yield line


def _paragraphs(lines: Iterable[str]) -> Iterator[list[str]]:
    """Groups of lines that belong together, none blank."""
    paragraph: list[str] = []
    last_indent = 0
    for line in lines:
        words = line.lstrip()
        indent = len(line) - len(words)
        # The usual line begins with a letter or a quotation mark.
        plain = words[:1].isalpha() or words[:1] in _QUOTES
        if not plain and words and _PAGE.match(line):
            continue
        blank = not words or (not plain and _RULE.match(line) is not None)
        ended = paragraph and (
            blank
            or 1 < indent > last_indent
            or (not plain and _ITEM.match(line))
            or (len(paragraph) >= LONGEST_PARAGRAPH and _SENTENCE_END.search(paragraph[-1].rstrip()))
        )
        if ended:
            yield paragraph
            paragraph = []
        if not blank:
            paragraph.append(line)
            last_indent = indent
    if paragraph:
        yield paragraph


def _is_heading(paragraph: Sequence[str]) -> bool:
    """Whether a paragraph is a heading, a title, a signature or part of a table of contents."""
    if all(_CONTENTS.search(line) for line in paragraph):
        return True
    text = " ".join(map(str.strip, paragraph))
    if len(paragraph) > 3 or len(text) > 120:
        return False
    if text.startswith("[") and text.endswith("]"):
        return True
    spoken = text[0] in _QUOTES or text.endswith(("!", "?"))
    if text.upper() == text and text.lower() != text and not spoken:
        return True
    if _NUMBERED.match(text) and len(text) < 60:
        return True
    if _SENTENCE_END.search(text):
        return False
    words = [word for word in text.split() if len(word) > 3]
    return _ROMAN.match(text) is not None or (
        bool(words) and all(not word[0].islower() for word in words) and text.lower() != text.upper()
    )
