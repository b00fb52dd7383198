"""Subtitles: SubRip (.srt) and WebVTT (.vtt) files, one text for each cue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.reading import read_lines

_TIME = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_MARKUP = re.compile(r"</?(?:[biuscv]|font|ruby|rt|lang)\b[^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}", re.IGNORECASE)


class SubtitlesCorpus(FileCorpus):
    """Subtitles (SubRip or WebVTT): the lines of a cue are one text, without numbers, times and marks of style."""

    kind: Literal["subtitles"] = "subtitles"

    endings: ClassVar[tuple[str, ...]] = (".srt", ".vtt")
    example: ClassVar[str] = (
        "1\n00:00:01,000 --> 00:00:02,500\n<i>Who is there?</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nNobody.\n"
    )

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        return any(_TIMING.match(line) for line in lines[:20])

    def read_file(self, path: Path) -> Iterator[Example]:
        cue: list[str] | None = None  # the lines of a cue; None between its end and the times of the next one
        for _, line in read_lines(path):
            if _TIMING.match(line):
                if cue and cue[-1].isdecimal() and len(cue) > 1:
                    cue.pop()  # the number of the next cue, where no blank line is before it
                if cue:
                    yield Example(" ".join(cue))
                cue = []
            elif not line.strip():
                if cue:
                    yield Example(" ".join(cue))
                cue = None
            elif cue is not None and (text := _MARKUP.sub("", line).strip()):
                cue.append(text)
        if cue:
            yield Example(" ".join(cue))
