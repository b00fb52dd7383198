"""Text files with one text on each line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.reading import read_lines


class LinesCorpus(FileCorpus):
    """A text file with one text on each line, without labels. Files ending in ``.gz`` are unpacked while reading."""

    kind: Literal["lines"] = "lines"
    example: ClassVar[str] = "A first text.\nAnother one.\n"

    def read_file(self, path: Path) -> Iterator[Example]:
        for _, line in read_lines(path):
            yield Example(line)
