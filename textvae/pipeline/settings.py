"""`--set a.b.c=value`: settings from the command line, which override those of a recipe."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from textvae.arguments import shown
from textvae.disk import at_home
from textvae.errors import ConfigError
from textvae.parsing import check_tables, parse_toml


def parse_value(text: str) -> Any:
    """A TOML value; text that is not valid TOML is a string.

    >>> parse_value("3"), parse_value("[1, 2]"), parse_value("true"), parse_value("../data")
    (3, [1, 2], True, '../data')
    """
    try:
        value = parse_toml(f"value = {text}", "--set")
    except ConfigError:
        return text
    # "1\nother = 2" is a valid document of two keys, but not a value.
    if set(value) != {"value"} or not isinstance(value["value"], bool | int | float | str | list | dict):
        return text
    return value["value"]


def parse_assignment(text: str) -> tuple[list[str], Any]:
    """The path and the value of one ``a.b.c=value``.

    Raises:
        ConfigError: it has no equals sign, or no name before it.

    >>> parse_assignment("train.epochs=2")
    (['train', 'epochs'], 2)
    """
    name, equals, value = text.partition("=")
    path = [part.strip() for part in name.split(".")]
    if not equals or not all(path):
        raise ConfigError(f"--set got {shown(text)}, expected NAME=VALUE, for instance --set train.epochs=2.")
    return path, parse_value(value.strip())


def assign(tables: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value into nested tables, in place, making the tables it needs.

    Raises:
        ConfigError: a part of the path exists and is not a table.
    """
    here = tables
    for depth, part in enumerate(path[:-1], start=1):
        if part == "corpus" and depth == 1 and isinstance(here.get(part), str):
            # `corpus = "card"` is short for `[corpus] card = "card"`.
            here[part] = {"card": here[part]}
        below = here.setdefault(part, {})
        if not isinstance(below, dict):
            where = ".".join(path[:depth])
            raise ConfigError(
                f"cannot set '{'.'.join(path)}': '{where}' is {shown(below)}, not a table; set '{where}' itself."
            )
        here = below
    if path == ["corpus"] and isinstance(tables.get("corpus"), dict) and isinstance(value, str):
        tables["corpus"]["card"] = value
    else:
        here[path[-1]] = value


def apply_settings(tables: Mapping[str, Any], settings: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the tables in which the settings override the values.

    Args:
        tables: of a recipe.
        settings: ``["train.epochs=2"]``, or ``{"train.epochs": 2}`` from Python.

    A `corpus.root` set here is relative to the current folder, not to the folder of the card.

    >>> apply_settings({"corpus": "demo", "train": {"epochs": 1}}, ["train.epochs=2", "corpus.limit.train=9"])
    {'corpus': {'card': 'demo', 'limit': {'train': 9}}, 'train': {'epochs': 2}}
    """
    check_tables(tables, "the recipe")
    changed = copy.deepcopy(dict(tables))
    pairs: Iterable[tuple[list[str], Any]]
    if isinstance(settings, Mapping):
        check_tables(settings, "the settings")
        pairs = [(name.split("."), value) for name, value in settings.items()]
    else:
        pairs = [parse_assignment(text) for text in settings]
    for path, value in pairs:
        if path == ["corpus", "root"] and isinstance(value, str | Path):
            value = str(at_home(value).absolute())
        assign(changed, path, value)
    check_tables(changed, "the settings")
    return changed
