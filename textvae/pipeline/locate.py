"""Where recipes are found. Corpus cards are found by `textvae.text.corpora.find_card`."""

from __future__ import annotations

import difflib
from pathlib import Path

from textvae.disk import at_home, first_file, installed, names_in, shown_path
from textvae.errors import ConfigError


def find_recipe(name: str | Path) -> Path:
    """A recipe by path, or by name among those installed.

    Raises:
        ConfigError: there is none; it says which there are.
    """
    given = at_home(name)
    found = first_file(given, [Path()] if given.is_absolute() else [Path(), installed("recipes")], "recipe")
    if found is None:
        there = names_in(installed("recipes"))
        close = difflib.get_close_matches(given.stem, there, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"name a .toml file, or one of {', '.join(there) or 'none'}."
        raise ConfigError(f"there is no recipe '{shown_path(name)}' here nor among those installed; {hint}")
    return found.resolve()
