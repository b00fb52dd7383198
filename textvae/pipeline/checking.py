"""Checks a recipe before anything runs: each stage's settings, and whether stages, model and corpus fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from textvae.config import Config, parse
from textvae.errors import ConfigError
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.stage import Stage

if TYPE_CHECKING:
    from textvae.models import ModelSettings


def checked_settings(recipe: Recipe, stages: Sequence[Stage]) -> dict[str, Any]:
    """The settings of each stage by its name, checked and with defaults, as the stage's `config_type`.

    Args:
        recipe: the recipe.
        stages: all existing stages; those without a table in the recipe are left out.

    Raises:
        ConfigError: a setting is unknown or wrong; the message names it as ``train.epochs``.
    """
    asked = [stage for stage in stages if stage.name in recipe.tables]
    fields: dict[str, Any] = {stage.name: (stage.config_type(), ...) for stage in asked}
    expected = create_model("RecipeTables", __base__=Config, **fields)
    checked: Any = parse(expected, {stage.name: recipe.tables[stage.name] for stage in asked}, recipe.source)
    return {stage.name: getattr(checked, stage.name) for stage in asked}


def require_corpus(recipe: Recipe, asked: Sequence[Stage]) -> None:
    """Refuse a recipe whose corpus lacks what a stage needs.

    Args:
        recipe: the recipe.
        asked: the stages that the run brings up to date.

    Raises:
        ConfigError: the corpus has no labels, or lacks a split that a stage needs.
    """
    for stage in asked:
        if stage.needs_labels and not recipe.corpus.has_labels:
            raise ConfigError(
                f"{recipe.source} has a [{stage.name}] table, but corpus '{recipe.corpus.name}' has no labels; "
                "remove the table, or name the corpus' label_column in its card."
            )
        stage.check(recipe)


def require_fitting(
    recipe: Recipe, asked: Sequence[Stage], stages: Sequence[Stage], settings: Mapping[str, Any]
) -> None:
    """Refuse a recipe whose stages do not fit together.

    Args:
        recipe: the recipe.
        asked: the stages that the run brings up to date.
        stages: all existing stages.
        settings: from `checked_settings`.

    Raises:
        ConfigError: a stage cannot work with the recipe's model, or with another stage's settings.
    """
    models = [stage.name for stage in stages if stage.gives_model and stage.name in settings]
    for stage in asked:
        try:
            for name in models:
                if name in stage.needs:
                    require_model(stage, settings[name].model)
            stage.check_settings(settings)
        except ConfigError as error:
            raise ConfigError(f"{recipe.source}: {error}") from None


def require_model(stage: Stage, model: ModelSettings) -> None:
    """Refuse a model that lacks what a stage declares to need.

    Args:
        stage: a stage that uses a model.
        model: settings of the model.

    Raises:
        ConfigError: the model has no code z, or has a label beside z, or its codes have no density.
    """
    if (stage.needs_code and not model.has_code) or (not stage.takes_label and model.beside_code):
        raise ConfigError(
            f"[{stage.name}] cannot work with a model of kind '{model.kind}'; remove the table, or train a text_vae."
        )
    if stage.needs_density and not model.has_density:
        raise ConfigError(
            f"[{stage.name}] needs the density of codes, and a {model.code_title} has none; "
            f"remove [{stage.name}], or use another posterior, such as gaussian."
        )
