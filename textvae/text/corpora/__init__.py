"""Corpora, chosen by `kind`; a corpus' settings are its card."""

from __future__ import annotations

from textvae.text.corpora.base import CorpusCard, Example, FileCorpus, ReadReport, texts_of
from textvae.text.corpora.lines import LinesCorpus

__all__ = ["CorpusCard", "Example", "FileCorpus", "LinesCorpus", "ReadReport", "texts_of"]
