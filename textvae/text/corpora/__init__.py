"""Corpora, chosen by `kind`; a corpus' settings are its card.

To add a kind: a file with its card class, and its import here. Cards, `textvae new` and the
tests of all kinds read this registry; `CorpusCard`, and `FileCorpus` for what is read from files, say what a kind
supplies and what it may declare.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from textvae.config import kinds_of, one_of, parse
from textvae.text.corpora.base import CorpusCard, Example, ReadReport, texts_of
from textvae.text.corpora.bible import BibleCorpus
from textvae.text.corpora.card import find_card, read_card
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.hub import HubCorpus
from textvae.text.corpora.lines import LinesCorpus
from textvae.text.corpora.tables import CSVCorpus, JSONLinesCorpus, TSVCorpus

if TYPE_CHECKING:
    CorpusConfig: TypeAlias = CorpusCard
else:
    CorpusConfig = one_of(CorpusCard, globals())

CORPUS_KINDS: dict[str, type[CorpusCard]] = kinds_of(CorpusConfig, CorpusCard)  # type: ignore[type-abstract]
"""Every kind by its name."""

FILE_KINDS: dict[str, type[FileCorpus]] = {
    kind: card for kind, card in CORPUS_KINDS.items() if issubclass(card, FileCorpus)
}
"""Those that are read from files."""

__all__ = [
    "CORPUS_KINDS",
    "FILE_KINDS",
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


def load_card(
    name_or_path: str | Path, base: Path | None = None, overrides: Mapping[str, object] | None = None
) -> CorpusCard:
    """Read a card.

    Args:
        name_or_path: of the card; see `find_card`.
        base: folder that is looked into first, and the `data` folder next to it; see `find_card`.
        overrides: settings that replace the card's, such as ``{"root": "/data/ptb"}``; tables are merged. A relative
            root is seen from the current folder, one in the card from the card's folder.

    Raises:
        ConfigError: the card is missing, no TOML, or has an unknown or mistyped field.

    >>> load_card("bible").name
    'bible'
    """
    path = find_card(name_or_path, base)
    card: CorpusCard = parse(CorpusConfig, read_card(path, overrides), f"corpus card {path.name}")
    return card.seen_from(path.parent.absolute())
