"""Reads recipes from files or tables, with the recipes that they extend and the settings of the command line.

Only names are checked here, so that torch need not be imported; `pipeline.checking` checks every setting.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from textvae.arguments import MAX_SEED, shown
from textvae.config import Config, parse
from textvae.disk import problem_of_file, shown_path
from textvae.errors import ConfigError
from textvae.pipeline.locate import find_recipe
from textvae.pipeline.naming import problem_of_name
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.settings import apply_settings
from textvae.pipeline.stages import STAGES
from textvae.text.corpora.reading import read_toml


class RecipeHeader(Config):
    """The entries of a recipe outside its tables.

    Attributes:
        name: of the run; its folder is `runs/NAME`.
        description: one line for the report.
        seed: of everything random.
    """

    name: str
    description: str = ""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)


def read_recipe(recipe: str | Path | Mapping[str, Any], settings: Iterable[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read a recipe by path or by name, or take its tables from a mapping.

    Args:
        recipe: a TOML file, the name of an installed recipe, or nested tables.
        settings: override those of the recipe: ``["train.epochs=2"]`` or ``{"train.epochs": 2}``.

    With ``extends = "other.toml"`` a recipe takes the tables of the other recipe, in the same folder, and its own
    settings override them. A table with another `kind` than the same table of the other recipe replaces it whole.

    The setting ``train.model.kind=language_model`` turns any recipe into that of its baseline: see `_baseline`.

    Raises:
        ConfigError: there is no such recipe, it is not TOML, or a table's name is unknown.
    """
    if isinstance(recipe, Mapping):
        return _from_tables(_with_settings(recipe, settings), Path.cwd(), "the recipe")
    if not isinstance(recipe, str | Path):
        raise ConfigError(
            f"the recipe is {shown(recipe)}; expected a TOML file, an installed recipe's name, or tables."
        )
    path = find_recipe(recipe)
    return _from_tables(_with_settings(_read_tables(path), settings), path.parent, f"recipe {shown_path(path.name)}")


def _read_tables(path: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe's tables, which override those of the recipe that it extends.

    Args:
        path: of the recipe.
        heirs: the recipes that extend this one, by which a circle is found.
    """
    tables = read_toml(path, f"recipe {shown_path(path)}", "give a recipe, a TOML file")
    parent = tables.pop("extends", None)
    if parent is None:
        return tables
    problem = problem_of_file(path.parent / parent) if isinstance(parent, str) else "is no text"
    if problem is not None:
        raise ConfigError(
            f"recipe {shown_path(path)}: extends = {shown(parent)} {problem}; expected the name of a recipe file "
            "beside it."
        )
    above = (path.parent / parent).resolve()
    if above in (path, *heirs):
        raise ConfigError(
            f"recipe {shown_path(path)} extends itself, by way of {shown(parent)}; remove an 'extends' of this circle."
        )
    merged = _laid_over(_read_tables(above, (path, *heirs)), tables)
    if not _asks_for_baseline(tables):
        return merged
    return _baseline(merged, name=str(tables.get("name", "")), asked=tables)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables, with the values of others overriding theirs.

    >>> _laid_over({"a": {"kind": "x", "b": 1}, "c": {"kind": "x", "b": 1}}, {"a": {"b": 2}, "c": {"kind": "y"}})
    {'a': {'kind': 'x', 'b': 2}, 'c': {'kind': 'y'}}
    """
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            # Settings of another kind do not apply to this one. Those of a model's parts do, whatever its kind.
            kept = name == "model" or value.get("kind", old.get("kind")) == old.get("kind")
            value = _laid_over(old, value) if kept else value
        merged[name] = value
    return merged


def _with_settings(tables: Mapping[str, Any], settings: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    settings = settings if isinstance(settings, Mapping) else list(settings)
    changed, laid_over = apply_settings(tables, settings), apply_settings({}, settings)
    if _asks_for_baseline(laid_over):
        return _baseline(changed, name=f"{tables.get('name', '')}_lm", asked=laid_over)
    return changed


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table of a stage; empty where it is missing, or is not a table."""
    found = tables.get(name)
    return found if isinstance(found, Mapping) else {}


def _asks_for_baseline(laid_over: Mapping[str, Any]) -> bool:
    """Whether settings turn a recipe into that of its baseline."""
    return any(stage.asks_for_baseline(_table(laid_over, stage.name)) for stage in STAGES)


def _baseline(tables: Mapping[str, Any], name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of the language model without z: the same decoder, trained in the same way.

    Each stage removes what applies to z only (`Stage.baseline_table`): the encoder, the posterior, the prior, remedies
    against collapse, and whole stages.

    Args:
        tables: the recipe of the model with z, its kind already changed.
        name: of the baseline; it differs from the recipe's, so that the two have different run folders.
        asked: the settings that came together with the change of kind. They are kept, so that a setting that does not
            fit is refused instead of ignored.

    >>> train = {"model": {"kind": "language_model", "latent_dim": 8, "decoder": {"kind": "gru"}}, "fresh_decoder": 4}
    >>> _baseline({"name": "a", "train": train, "interpolate": {}}, "a_lm", asked={})
    {'name': 'a_lm', 'train': {'model': {'kind': 'language_model', 'decoder': {'kind': 'gru'}}}}
    """
    changed = {**tables, "name": name}
    for stage in STAGES:
        table = stage.baseline_table(_table(tables, stage.name), _table(asked, stage.name))
        if table is None:
            changed.pop(stage.name, None)
        elif isinstance(tables.get(stage.name), Mapping):
            changed[stage.name] = dict(table)
    return changed


def _from_tables(tables: dict[str, Any], folder: Path, source: str) -> Recipe:
    names = [stage.name for stage in STAGES]
    known = [*RecipeHeader.model_fields, "corpus", *names]
    for name in tables:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            cure = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}."
            raise ConfigError(f"{source}: unknown setting {shown(name)}; {cure}")
    header: RecipeHeader = parse(
        RecipeHeader, {name: tables[name] for name in RecipeHeader.model_fields if name in tables}, source
    )
    problem = problem_of_name(header.name)
    if problem is not None:
        raise ConfigError(
            f"{source}: setting 'name' is {shown(header.name)}, and it names a folder, so {problem}; give a name of "
            "letters and digits."
        )
    stages = {name: tables[name] for name in names if name in tables}
    for name, table in stages.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{source}: '{name}' is {shown(table)}, expected a table; write [{name}].")
    return Recipe(
        header.name, header.description, header.seed, _card(tables.get("corpus"), source), stages, folder, source
    )


def _card(corpus: Any, source: str) -> tuple[str, dict[str, Any]]:
    if isinstance(corpus, str):
        return corpus, {}
    if isinstance(corpus, dict) and isinstance(corpus.get("card"), str):
        return corpus["card"], {name: value for name, value in corpus.items() if name != "card"}
    if corpus is None or isinstance(corpus, dict):
        raise ConfigError(f"{source}: setting 'corpus' is missing; name a card of data/, such as corpus = \"bible\".")
    raise ConfigError(f"{source}: setting 'corpus' is {shown(corpus)}; name a card, such as corpus = \"bible\".")
