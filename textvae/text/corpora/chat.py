"""Exports of a chat as text: a date, a time, an author and a message, which may go on over several lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.reading import read_lines

_DATE = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
_CLOCK = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[\s\u202f]?[AaPp]\.?[Mm]\.?)?"
# "12/05/2020, 10:31 - Anna: Hello", "[12.05.20, 10:31:02] Anna: Hello", "2020-05-12 10:31 <anna> Hello"
_HEAD = re.compile(rf"[\u200e\u200f]?\[?{_DATE},?[\sT\u202f]+{_CLOCK}\]?\s*[-\u2013]?\s*(?P<rest>.*)", re.DOTALL)
_MESSAGE = re.compile(r"(?:<(?P<nick>[^<>]{1,60})>|(?P<author>[^:]{1,60}):)(?:\s+|$)(?P<text>.*)", re.DOTALL)
_LEFT_OUT = re.compile(r"[\u200e\u200f]?<[^<>]*>$")


class ChatCorpus(FileCorpus):
    """A chat's export as text (WhatsApp, IRC): one text for each message, without date and author.

    Notices of the program, which have no author, and placeholders such as ``<Media omitted>`` are left out.
    """

    kind: Literal["chat"] = "chat"
    example: ClassVar[str] = (
        "12/05/2020, 10:31 - Anna: Are you there?\n"
        "12/05/2020, 10:32 - Ben: Yes,\nnearly.\n"
        "12/05/2020, 10:32 - Ben: <Media omitted>\n"
        "12/05/2020, 10:40 - Clara joined\n"
    )

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        heads = [match for line in lines if (match := _HEAD.match(line))]
        return len(heads) >= max(2, len(lines) // 3) and sum(bool(_MESSAGE.match(head["rest"])) for head in heads) >= 2

    def read_file(self, path: Path) -> Iterator[Example]:
        message: list[str] | None = None  # None after a notice without an author
        for _, line in read_lines(path):
            head = _HEAD.match(line)
            if head is None:
                if message is not None:
                    message.append(line)
                continue
            yield from _whole(message)
            said = _MESSAGE.match(head["rest"])
            message = None if said is None else [said["text"]]
        yield from _whole(message)


def _whole(message: list[str] | None) -> Iterator[Example]:
    if message is not None and (text := " ".join(message).strip()) and not _LEFT_OUT.match(text):
        yield Example(text)
