"""Corpus cards: TOML files that say where a corpus is, what is in it and under which terms."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from textvae.config import parse
from textvae.disk import MISSING, at_home, problem_of_file, shown_path
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


def installed_cards() -> Path:
    """The folder of the cards that come with textvae: of the wheel, or of the checkout."""
    packaged = Path(str(resources.files("textvae"))) / "_cards"
    return packaged if packaged.is_dir() else Path(str(resources.files("textvae"))).parent / "data"


def find_card(name_or_path: str | Path, base: Path | None = None) -> Path:
    """The file of a card: a path, seen from `base` or from the current folder, or the name of an installed card.

    Raises:
        ConfigError: there is none; the message lists the names there are.
    """
    wanted = at_home(name_or_path)
    candidates = [(base or Path.cwd()) / wanted, Path.cwd() / wanted]
    if wanted.suffix != ".toml":
        candidates += [path.with_name(path.name + ".toml") for path in candidates]
    candidates.append(installed_cards() / (wanted.name if wanted.suffix == ".toml" else f"{wanted.name}.toml"))
    problems = [problem_of_file(path) for path in candidates]
    if None in problems:
        return candidates[problems.index(None)]
    found = next((problem for problem in problems if problem and problem != MISSING), None)
    if found is not None:
        raise ConfigError(f"corpus card {shown_path(name_or_path)} {found}; give a TOML file.")
    names = ", ".join(sorted(path.stem for path in installed_cards().glob("*.toml")))
    raise ConfigError(
        f"There is no corpus card '{shown_path(name_or_path)}'; give the path of a card, or one of: {names}."
    )


def load_card(
    name_or_path: str | Path, base: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> CorpusConfig:
    """Read a card.

    Args:
        name_or_path: of the card; see `find_card`.
        base: folder that relative paths are looked up in first.
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
