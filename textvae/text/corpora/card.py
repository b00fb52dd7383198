"""Corpus cards: TOML files that say where a corpus is, what is in it and under which terms."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from textvae.config import parse
from textvae.disk import at_home, first_file, installed, names_in, shown_path
from textvae.errors import ConfigError
from textvae.parsing import check_tables
from textvae.text.corpora.base import FileCorpus
from textvae.text.corpora.bible import BibleCorpus
from textvae.text.corpora.hub import HubCorpus
from textvae.text.corpora.lines import LinesCorpus
from textvae.text.corpora.reading import read_toml
from textvae.text.corpora.tables import CSVCorpus, JSONLinesCorpus, TSVCorpus

CorpusConfig = Annotated[
    LinesCorpus | CSVCorpus | TSVCorpus | JSONLinesCorpus | HubCorpus | BibleCorpus, Field(discriminator="kind")
]


def find_card(name_or_path: str | Path, beside: Path | None = None) -> Path:
    """The file of a card, looked for in one order: `beside`, the `data` folder next to it, here, `./data`, installed.

    Args:
        name_or_path: with or without ``.toml``.
        beside: the folder of the recipe that names the card; None where no recipe does. A path that leads to nothing
            then names the installed card of its last part: ``data/bible.toml`` is found outside of a checkout too.

    Returns:
        its path, links not followed.

    Raises:
        ConfigError: there is none; the message lists the names there are.
    """
    given, here = at_home(name_or_path), Path.cwd()
    near = [] if beside is None else [beside, beside.parent / "data"]
    found = first_file(given, [*near, here, here / "data", installed("cards")], "corpus card")
    if found is None and beside is None:
        found = first_file(Path(given.name), [installed("cards")], "corpus card")
    if found is not None:
        return found
    there = sorted({known for folder in (*near[1:], installed("cards")) for known in names_in(folder)})
    if beside is None:
        raise ConfigError(
            f"There is no corpus card '{shown_path(name_or_path)}'; give the path of a card, or one of: "
            f"{', '.join(there)}."
        )
    close = difflib.get_close_matches(given.stem, there, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(there) or 'none'}."
    raise ConfigError(
        f"there is no corpus card '{shown_path(name_or_path)}' beside the recipe nor among those installed; {hint}"
    )


def load_card(
    name_or_path: str | Path, base: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> CorpusConfig:
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
    content = read_toml(path, f"corpus card {shown_path(path)}", "give a corpus card, a TOML file")
    check_tables(overrides or {}, "the settings of the corpus")
    for name, value in (overrides or {}).items():
        if name == "root" and isinstance(value, str | Path):
            value = str(at_home(value).absolute())
        merged = isinstance(value, Mapping) and isinstance(content.get(name), Mapping)
        content[name] = {**content[name], **value} if merged else value
    if "kind" not in content:
        raise ConfigError(f'{path} has no kind; add, for instance, kind = "lines".')
    content.setdefault("name", path.stem)
    card: CorpusConfig = parse(CorpusConfig, content, f"corpus card {path.name}")
    if isinstance(card, FileCorpus):
        card._base = path.parent.absolute()
    elif isinstance(card, HubCorpus) and card.root is None:
        card = card.model_copy(update={"root": str(path.parent.absolute())})
    return card
