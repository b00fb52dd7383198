"""Subtitles: one text for each that is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus, filled
from textvae.text.corpora.reading import read_lines

_TIME = re.compile(r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}.*")
_MARKUP = re.compile(r"</?(?:[biuc]|v|font|ruby|rt|lang)\b[^>]*>|\{\\[^}]*\}")


class SubtitlesCorpus(FileCorpus):
    """SubRip or WebVTT subtitles, without their numbers, times and markup; the lines of one are joined by a blank."""

    kind: Literal["subtitles"] = "subtitles"

    endings: ClassVar[tuple[str, ...]] = (".srt", ".vtt")
    example: ClassVar[str] = (
        "1\n00:00:01,000 --> 00:00:02,500\nWhere is <i>he</i>?\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\nHe went\nto the house.\n"
    )

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        first = filled(lines)
        return sum(_TIME.fullmatch(line.strip()) is not None for line in first) > 1 and any(
            _TIME.fullmatch(line.strip()) for line in first[:3]
        )

    def read_file(self, path: Path) -> Iterator[Example]:
        shown: list[str] | None = None  # the lines of a subtitle, once its time has been read
        for _, line in read_lines(path):
            line = line.strip()
            if _TIME.fullmatch(line):
                shown = []
            elif line and shown is not None:
                shown.append(_MARKUP.sub("", line))
            elif shown is not None:
                yield Example(" ".join(shown))
                shown = None
        if shown is not None:
            yield Example(" ".join(shown))
