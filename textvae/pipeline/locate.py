"""Finds recipes by name or path. Corpus cards are found by `textvae.text.corpora.find_card`."""

from __future__ import annotations

import difflib
from pathlib import Path

from textvae.disk import at_home, first_file, installed, names_in, shown_path
from textvae.errors import ConfigError


def find_recipe(name: str | Path) -> Path:
    """The path of a recipe, given its path or the name of an installed recipe.

    Raises:
        ConfigError: there is no such recipe; the message lists those that exist.
    """
    given = at_home(name)
    found = first_file(given, [Path()] if given.is_absolute() else [Path(), installed("recipes")], "recipe")
    if found is None:
        there = names_in(installed("recipes"))
        close = difflib.get_close_matches(given.stem, there, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"name a .toml file, or one of {', '.join(there) or 'none'}."
        raise ConfigError(f"there is no recipe '{shown_path(name)}' here nor among those installed; {hint}")
    return found.resolve()
