"""Corpora, chosen by `kind`. The settings of a corpus are called its card, a TOML file in `data/`.

To add a kind: a file with its card class, and its import here. Cards, `textvae new` and the tests of all kinds read
this registry. `CorpusCard`, and `FileCorpus` for corpora in files, document what a kind must supply and may declare.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from textvae.config import kinds_of, one_of, parse
from textvae.text.corpora.base import CorpusCard, Example, ReadReport, texts_of
from textvae.text.corpora.bible import BibleCorpus
from textvae.text.corpora.card import find_card, read_card
from textvae.text.corpora.chat import ChatCorpus
from textvae.text.corpora.fasta import FastaCorpus
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.hub import HubCorpus
from textvae.text.corpora.json_tables import JSONCorpus, JSONLinesCorpus
from textvae.text.corpora.lines import LinesCorpus
from textvae.text.corpora.prose import ProseCorpus
from textvae.text.corpora.separated import CSVCorpus, TSVCorpus
from textvae.text.corpora.subtitles import SubtitlesCorpus
from textvae.text.corpora.tables import TableCorpus

if TYPE_CHECKING:
    CorpusConfig: TypeAlias = CorpusCard
else:
    CorpusConfig = one_of(CorpusCard, globals())

CORPUS_KINDS: dict[str, type[CorpusCard]] = kinds_of(CorpusConfig, CorpusCard)  # type: ignore[type-abstract]
"""The card class of every kind, by kind."""

FILE_KINDS: dict[str, type[FileCorpus]] = {
    kind: card for kind, card in CORPUS_KINDS.items() if issubclass(card, FileCorpus)
}
"""The card classes of the kinds that are read from files."""

__all__ = [
    "CORPUS_KINDS",
    "FILE_KINDS",
    "BibleCorpus",
    "CSVCorpus",
    "ChatCorpus",
    "CorpusCard",
    "CorpusConfig",
    "Example",
    "FastaCorpus",
    "FileCorpus",
    "HubCorpus",
    "JSONCorpus",
    "JSONLinesCorpus",
    "LinesCorpus",
    "ProseCorpus",
    "ReadReport",
    "SubtitlesCorpus",
    "TSVCorpus",
    "TableCorpus",
    "find_card",
    "load_card",
    "texts_of",
]


def load_card(
    name_or_path: str | Path, base: Path | None = None, overrides: Mapping[str, object] | None = None
) -> CorpusCard:
    """Read a card.

    Args:
        name_or_path: name or path of the card; see `find_card`.
        base: the folder of the recipe that names the card; see `find_card`.
        overrides: settings that replace the card's, such as ``{"root": "/data/ptb"}``; tables are merged. A relative
            `root` in the overrides is relative to the current folder, one in the card to the card's folder.

    Raises:
        ConfigError: the card is missing, is not TOML, or has an unknown or mistyped field.

    >>> load_card("bible").name
    'bible'
    """
    path = find_card(name_or_path, base)
    card: CorpusCard = parse(CorpusConfig, read_card(path, overrides), f"corpus card {path.name}")
    return card.seen_from(path.parent.absolute())
