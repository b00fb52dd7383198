"""Finding and reading corpus cards: TOML files that say where a corpus is, what it contains and its licence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from textvae.disk import at_home, first_file, installed, names_in, shown_path
from textvae.errors import ConfigError
from textvae.parsing import check_tables
from textvae.text.corpora.reading import read_toml


def find_card(name_or_path: str | Path, beside: Path | None = None) -> Path:
    """Find the file of a card.

    The folders searched are, in this order: `beside`, the folder `data` next to `beside`, the current folder, its
    folder `data`, and the cards installed with textvae.

    Args:
        name_or_path: name or path of the card, with or without ``.toml``.
        beside: the folder of the recipe that names the card; None if no recipe does. In that case a path that does not
            exist falls back to the installed card of the same file name, so that ``data/bible.toml`` works outside of
            a checkout too.

    Returns:
        the file's path, without following links.

    Raises:
        ConfigError: there is no such card; the message lists those there are.
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


def read_card(path: Path, overrides: Mapping[str, object] | None = None) -> dict[str, object]:
    """The table of a card, with some settings replaced; see `load_card`.

    Raises:
        ConfigError: the card is not TOML, or names no kind.
    """
    content: dict[str, object] = read_toml(path, f"corpus card {shown_path(path)}", "give a corpus card, a TOML file")
    check_tables(overrides or {}, "the settings of the corpus")
    for name, value in (overrides or {}).items():
        if name == "root" and isinstance(value, str | Path):
            value = str(at_home(value).absolute())
        below = content.get(name)
        content[name] = {**below, **value} if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    if "kind" not in content:
        raise ConfigError(f'{path} has no kind; add, for instance, kind = "lines".')
    content.setdefault("name", path.stem)
    return content
