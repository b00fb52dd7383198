"""One text a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from textvae.text.corpora.base import Example, FileCorpus, Split
from textvae.text.corpora.reading import read_lines


class LinesCorpus(FileCorpus):
    """A text file with one text a line; no labels. Files ending in ``.gz`` are unpacked while reading."""

    kind: Literal["lines"] = "lines"

    @property
    def has_labels(self) -> bool:
        return False

    def read_source(self, split: Split) -> Iterator[Example]:
        for path in self.checked_paths(split):
            for _, line in read_lines(path):
                yield Example(line)
