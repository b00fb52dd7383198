"""Finds recipes by name or path. Corpus cards are found by `textvae.text.corpora.find_card`."""

from __future__ import annotations

import difflib
from pathlib import Path

from textvae.disk import at_home, first_file, installed, names_in, shown_path
from textvae.errors import ConfigError

_TEXTS = frozenset((".txt", ".csv", ".tsv", ".json", ".jsonl", ".gz", ".parquet"))
"""Endings of files that are given to `run` in place of the recipe that `new` makes for them."""


def find_recipe(name: str | Path) -> Path:
    """The path of a recipe, given its path or the name of an installed recipe.

    Raises:
        ConfigError: there is no such recipe; or what is named is a file of texts.
    """
    given = at_home(name)
    found = first_file(given, [Path()] if given.is_absolute() else [Path(), installed("recipes")], "recipe")
    if found is None:
        there = names_in(installed("recipes"))
        close = difflib.get_close_matches(given.stem, there, n=1)
        if close:
            hint = f"did you mean '{close[0]}'?"
        elif given.suffix == ".toml":
            hint = "make one by `textvae new FILE`, or look for the folder that it is in."
        else:
            hint = f"name a .toml file, or one of {', '.join(there) or 'none'}."
        raise ConfigError(f"there is no recipe '{shown_path(name)}' here nor among those installed; {hint}")
    if found.suffix.lower() in _TEXTS:
        raise ConfigError(
            f"{shown_path(name)} is by its name a file of texts, and no recipe; make one by `textvae new`."
        )
    return found.resolve()
