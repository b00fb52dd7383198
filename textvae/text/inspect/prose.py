"""Whether and how the texts of a file are cut into sentences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from textvae.text.corpora.files import FileCorpus
from textvae.text.prose import is_prose

MAX_SENTENCES = 60_000
"""Sentences that are examined, at most, as cutting takes time."""
_SAMPLE = 1000


def sentence_cutter(corpus: FileCorpus, path: Path) -> Callable[[str], list[str]] | None:
    """What cuts the texts of a file without columns into sentences, as its card will; None where texts stay whole.

    Args:
        corpus: the kind that reads the file.
        path: the file.
    """
    first = (text for text, _ in islice(corpus.read_file(path), _SAMPLE))
    if not corpus.split_sentences and not is_prose(first):
        return None
    return corpus.sentence_cutter(text for text, _ in corpus.read_file(path))
