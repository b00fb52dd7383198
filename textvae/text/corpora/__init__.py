"""Corpora, chosen by `kind`; a corpus' settings are its card.

To add a kind: a file with its card class (`own_splits`, `read_source`, `source_fingerprint`, `has_labels`), and one
line in the union of `card.py`.
"""

from __future__ import annotations

from textvae.text.corpora.base import CorpusCard, Example, FileCorpus, ReadReport, texts_of
from textvae.text.corpora.bible import BibleCorpus
from textvae.text.corpora.card import CorpusConfig, find_card, load_card
from textvae.text.corpora.hub import HubCorpus
from textvae.text.corpora.lines import LinesCorpus
from textvae.text.corpora.tables import CSVCorpus, JSONLinesCorpus, TSVCorpus

__all__ = [
    "BibleCorpus",
    "CSVCorpus",
    "CorpusCard",
    "CorpusConfig",
    "Example",
    "FileCorpus",
    "HubCorpus",
    "JSONLinesCorpus",
    "LinesCorpus",
    "ReadReport",
    "TSVCorpus",
    "find_card",
    "load_card",
    "texts_of",
]
